"""The key file."""

from pathlib import Path

import pytest

from shim_mcp.api import ApiError
from shim_mcp.keys import KeyFile

KEY = "shim_0123456789_0123456789_0123456789"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "agent.key"
    path.touch(mode=0o600)
    path.write_text(f"{KEY}\n")
    return path


def test_is_read_anew_each_time(path: Path) -> None:
    key = KeyFile(path)
    assert key() == KEY
    path.write_text(f"{KEY}_rotated\n")
    assert key() == f"{KEY}_rotated"


def test_a_missing_file_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="`shim up` makes it"):
        KeyFile(tmp_path / "none")()


def test_a_file_that_others_can_read_is_not_used(path: Path) -> None:
    path.chmod(0o640)
    with pytest.raises(ApiError, match="chmod 600"):
        KeyFile(path)()


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64, f"{KEY}\nX-Evil: {KEY}".encode()])
def test_what_is_no_key_is_not_sent(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ApiError) as caught:
        KeyFile(path)()
    assert KEY not in str(caught.value)


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(ApiError, match="cannot be read"):
        KeyFile(tmp_path)()

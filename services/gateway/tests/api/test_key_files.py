"""Check 3: secrets in files are made at the first start, for their owner alone; bad ones are refused."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shim_common.kernel.clock import ManualClock
from shim_common.kernel.errors import Forbidden
from shim_common.kernel.secrets import SECRET_BYTES, write_private
from shim_gateway.app import create_app
from shim_gateway.settings import Settings

from .harness import serving_gateway

OPEN = (0o604, 0o620, 0o601)
WEAK = (b"0123456789abcdef0123456789abcde", b" " * 100, b"a" * 100, b"password" * 10)
FILES = ("admin.key", "agent.key", "ingest.key", "internal.secret", "pepper.secret")


@pytest.fixture
def nowhere(tmp_path: Path) -> Settings:
    """Settings of a gateway that is made and never started."""
    return Settings(home=tmp_path / "home", database_url="postgresql://nowhere", redis_url="redis://nowhere")


@pytest.fixture
def keys(nowhere: Settings, clock: ManualClock) -> Path:
    """The folder of keys after a first start."""
    create_app(nowhere, clock)
    return nowhere.keys_dir


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_03_the_first_start_makes_all_files_for_their_owner_alone(keys: Path) -> None:
    assert sorted(path.name for path in keys.iterdir()) == sorted(FILES)
    assert {mode(keys / name) for name in FILES} == {0o600}
    assert mode(keys) == 0o700


def test_03_no_two_secrets_are_alike(keys: Path) -> None:
    assert len({(keys / name).read_bytes() for name in FILES}) == len(FILES)
    assert all(len((keys / name).read_bytes()) >= SECRET_BYTES for name in FILES)


def test_03_files_are_private_whatever_the_umask(nowhere: Settings, clock: ManualClock) -> None:
    before = os.umask(0)
    try:
        create_app(nowhere, clock)
    finally:
        os.umask(before)
    assert {mode(nowhere.keys_dir / name) for name in FILES} == {0o600}
    assert mode(nowhere.keys_dir) == 0o700


def test_03_a_later_start_leaves_the_files_as_they_are(keys: Path, nowhere: Settings, clock: ManualClock) -> None:
    before = {name: (keys / name).read_bytes() for name in FILES}
    create_app(nowhere, clock)
    assert {name: (keys / name).read_bytes() for name in FILES} == before


@pytest.mark.parametrize(
    ("name", "bits"), [*((name, 0o640) for name in FILES), *(("admin.key", bits) for bits in OPEN)]
)
def test_03_a_file_that_others_can_use_stops_the_start(
    keys: Path, nowhere: Settings, clock: ManualClock, name: str, bits: int
) -> None:
    (keys / name).chmod(bits)
    with pytest.raises(Forbidden, match="chmod 600") as refused:
        create_app(nowhere, clock)
    assert refused.value.problem_code == "key_file_open"


@pytest.mark.parametrize(
    ("name", "content"), [*((name, b"") for name in FILES), *(("admin.key", weak) for weak in WEAK)]
)
def test_03_a_weak_secret_stops_the_start(
    keys: Path, nowhere: Settings, clock: ManualClock, name: str, content: bytes
) -> None:
    (keys / name).write_bytes(content)
    with pytest.raises(Forbidden, match="no usable secret") as refused:
        create_app(nowhere, clock)
    assert refused.value.problem_code == "key_file_weak"


def test_03_blanks_do_not_make_a_key_longer(keys: Path, nowhere: Settings, clock: ManualClock) -> None:
    (keys / "admin.key").write_bytes(b"0123456789abcdef" + b"\n" * 100)
    with pytest.raises(Forbidden, match="no usable secret"):
        create_app(nowhere, clock)


async def test_03_a_key_of_ones_own_choice_is_taken(own_settings: Settings, clock: ManualClock) -> None:
    chosen = "correct horse battery staple, and some more words"
    write_private(own_settings.keys_dir / "admin.key", chosen.encode() + b"\n")
    async with serving_gateway(own_settings, clock) as gateway, gateway.client(chosen) as client:
        assert (await client.get("/v1/keys")).status_code == 200


def test_03_a_start_that_fails_ends_the_process(tmp_path: Path) -> None:
    stores = {"DATABASE_URL": "postgresql://nobody@/nothing?host=/nowhere", "REDIS_URL": "redis://127.0.0.1:1"}
    names = {"SHIM_HOME": str(tmp_path), "SHIM_BIND": "127.0.0.1:0", **stores}
    command = [sys.executable, "-m", "shim_gateway"]
    ended = subprocess.run(command, env=os.environ | names, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 3
    assert "the database is away" in ended.stderr

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_checkpointer.vault import FileVault
from shim_common.kernel import secrets
from shim_common.kernel.errors import Conflict, Forbidden

BOUND = b"its hash"


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> FileVault:
    return FileVault(tmp_path_factory.mktemp("vault") / "files")


@given(st.binary(max_size=2000))
def test_a_content_comes_back_byte_for_byte(vault: FileVault, content: bytes) -> None:
    assert vault.decrypt(*vault.encrypt(content, BOUND), BOUND) == content


def test_nothing_of_a_content_is_to_be_seen(vault: FileVault) -> None:
    content = b"the quick brown fox" * 50

    first, second = vault.encrypt(content, BOUND)[1], vault.encrypt(content, BOUND)[1]

    assert b"quick" not in first
    assert first != second


def test_no_flipped_byte_goes_unnoticed(vault: FileVault) -> None:
    key_no, secret = vault.encrypt(b"def add(a, b): ...", BOUND)
    for position in range(len(secret)):
        damaged = bytearray(secret)
        damaged[position] ^= 1
        with pytest.raises(Conflict) as refused:
            vault.decrypt(key_no, bytes(damaged), BOUND)
        assert refused.value.problem_code == "integrity"


@pytest.mark.parametrize("length", [0, 5, 12, 20])
def test_what_was_cut_off_is_noticed(vault: FileVault, length: int) -> None:
    key_no, secret = vault.encrypt(b"def add(a, b): ...", BOUND)

    with pytest.raises(Conflict) as refused:
        vault.decrypt(key_no, secret[:length], BOUND)
    assert refused.value.problem_code == "integrity"


def test_a_content_cannot_be_put_in_the_place_of_another(vault: FileVault) -> None:
    with pytest.raises(Conflict) as refused:
        vault.decrypt(*vault.encrypt(b"harmless", BOUND), b"another hash")
    assert refused.value.problem_code == "integrity"


def test_another_installation_reads_nothing(vault: FileVault, tmp_path: Path) -> None:
    with pytest.raises(Conflict) as refused:
        FileVault(tmp_path / "files").decrypt(*vault.encrypt(b"private", BOUND), BOUND)
    assert refused.value.problem_code == "integrity"


def test_a_new_key_is_for_what_comes_and_the_old_one_stays_for_what_was(tmp_path: Path) -> None:
    vault = FileVault(tmp_path / "files")
    before = vault.encrypt(b"before", BOUND)

    assert vault.rotate() == 2
    after = vault.encrypt(b"after", BOUND)

    assert (before[0], after[0]) == (1, 2)
    for reader in (vault, FileVault(tmp_path / "files")):
        assert [reader.decrypt(*one, BOUND) for one in (before, after)] == [b"before", b"after"]


def test_a_key_that_another_process_made_is_found(tmp_path: Path) -> None:
    ours, theirs = FileVault(tmp_path / "files"), FileVault(tmp_path / "files")
    theirs.rotate()

    assert ours.decrypt(*theirs.encrypt(b"theirs", BOUND), BOUND) == b"theirs"


def test_a_lost_key_is_named_and_not_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    vault = FileVault(folder)
    kept = vault.encrypt(b"kept", BOUND)
    vault.rotate()
    (folder / "1.key").unlink()

    with pytest.raises(Conflict, match=r"1\.key") as refused:
        FileVault(folder).decrypt(*kept, BOUND)

    assert refused.value.problem_code == "key_gone"
    assert not (folder / "1.key").exists()


def test_keys_are_private(tmp_path: Path) -> None:
    FileVault(tmp_path / "files")
    key = tmp_path / "files" / "1.key"

    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    key.chmod(0o644)
    with pytest.raises(Forbidden, match="chmod 600"):
        FileVault(tmp_path / "files")


def test_other_files_beside_the_keys_are_left_alone(tmp_path: Path) -> None:
    secrets.write_private(tmp_path / "files" / "backup.key", b"x" * 32)

    assert FileVault(tmp_path / "files").encrypt(b"", BOUND)[0] == 1

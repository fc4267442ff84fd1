import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from shim_common.contracts import sessions as wire

from .conftest import Person
from .fake_shim import FakeShim, Stored

CART = b"total = sum(prices)\n"
LOGO = bytes(range(256))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "webshop"
    (folder / "img").mkdir(parents=True)
    (folder / "cart.py").write_bytes(b"total = 0\n")
    (folder / "new.py").write_bytes(b"print()\n")
    (folder / "img" / "logo.png").write_bytes(LOGO)
    return folder


@pytest.fixture
def stored(shim: FakeShim, project: Path) -> Stored:
    """A session in the project, with a snapshot of two files that a checkpoint refers to."""
    stored = shim.add_session(project=str(project))
    files = []
    for path, content in (("cart.py", CART), ("img/logo.png", LOGO)):
        digest = sha256(content).hexdigest()
        shim.blobs[digest] = content
        files.append(wire.FileRef(path=path, sha256=digest, size=len(content), mode=0o644))
    snapshot = shim.add_snapshot(stored, files)
    shim.add_checkpoint(stored, wire.Trigger.TOOL_CALLS, snapshot_id=snapshot.id)
    shim.add_checkpoint(stored, wire.Trigger.ON_DEMAND)
    return stored


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("source", ["snp_1", "ckp_ses_1_1"])
def test_files_come_back_into_a_folder_of_ones_choice(
    user: Person, stored: Stored, project: Path, tmp_path: Path, source: str
) -> None:
    before = content(project)
    shown = user.does("restore", source, "--to", tmp_path / "there")
    assert "2 to create, 0 to change, 0 to delete" in shown
    assert content(tmp_path / "there") == {"cart.py": CART, "img/logo.png": LOGO}
    assert content(project) == before


def test_files_come_back_in_place_after_a_backup(user: Person, stored: Stored, project: Path) -> None:
    shown = user.does("restore", "snp_1", "--in-place")
    assert content(project) == {"cart.py": CART, "img/logo.png": LOGO}
    assert "~ cart.py\n" in shown
    assert "- new.py\n" in shown
    assert "1 the same already" in shown
    [backup] = (user.shim_home / "backups").glob("2*")
    assert content(backup) == {"cart.py": b"total = 0\n", "new.py": b"print()\n"}
    assert "undo with: shim restore snp_2 --in-place" in shown
    user.does("restore", "snp_2", "--in-place")
    assert content(project) == {"cart.py": b"total = 0\n", "new.py": b"print()\n", "img/logo.png": LOGO}


def test_what_the_libraries_log_is_not_mixed_in(user: Person, stored: Stored) -> None:
    """In a process of its own, because logging is set up for a whole one."""
    command = [sys.executable, "-c", "from shim_cli.main import main; main()", "restore", "snp_1", "--in-place"]
    environ = {name: str(value) for name, value in user.environ.items()}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=True)
    assert done.stderr == ""
    assert "[info" not in done.stdout


def test_a_dry_run_changes_nothing(user: Person, stored: Stored, project: Path) -> None:
    before = content(project)
    assert "1 to change, 1 to delete" in user.does("restore", "snp_1", "--in-place", "--dry-run")
    assert content(project) == before
    assert not (user.shim_home / "backups").exists()


def test_a_damaged_content_is_not_written(user: Person, shim: FakeShim, stored: Stored, project: Path) -> None:
    before = content(project)
    shim.blobs[sha256(CART).hexdigest()] = b"something else"
    result = user.run("restore", "snp_1", "--in-place")
    assert result.exit_code == 1
    assert "is damaged; nothing was restored" in result.stderr
    assert content(project) == before


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["snp_1"], 2, "either --to FOLDER or --in-place"),
        (["snp_1", "--to", "x", "--in-place"], 2, "either --to FOLDER or --in-place"),
        (["snp_9", "--in-place"], 1, "there is no snapshot 'snp_9'"),
        (["ckp_9", "--in-place"], 1, "there is no checkpoint 'ckp_9'"),
        (["ckp_ses_1_2", "--in-place"], 1, "checkpoint 2 was made without files"),
    ],
)
def test_what_makes_no_sense_is_said(
    user: Person, stored: Stored, arguments: list[str], code: int, complaint: str
) -> None:
    result = user.run("restore", *arguments)
    assert result.exit_code == code
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1

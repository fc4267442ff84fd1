import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shim_cli.connect import disk
from shim_cli.connect.disk import Edit
from shim_cli.connect.edits import ATTEMPTS, Editor
from shim_cli.connect.receipts import Receipts
from shim_cli.connect.settings_file import Addition
from shim_cli.errors import Refused
from shim_common.kernel.clock import ManualClock
from shim_common.kernel.errors import Conflict, Forbidden

ADDITION = Addition(hooks={"Stop": {"type": "command", "command": "x shim_hook.py"}})
OTHER = Addition(hooks={"Stop": {"type": "command", "command": "y shim_hook.py"}})


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    clock = ManualClock(datetime(2026, 11, 20, tzinfo=UTC))
    return Editor(Receipts(tmp_path / "backups"), tmp_path / "config", clock)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "settings.json"


def connect(editor: Editor, file: Path, addition: Addition = ADDITION) -> Edit:
    return editor.make(lambda: editor.connected(file, addition), keep_receipt=True)


def disconnect(editor: Editor, file: Path) -> Edit:
    return editor.make(lambda: editor.disconnected(file), keep_receipt=False)


contents = st.one_of(
    st.sampled_from([b"", b"\n", b"{}", b"{ }\r\n", b'{\r\n\t"a" : [ ]\r\n}', b'\xef\xbb\xbf{"a":1}']),
    st.dictionaries(st.text(), st.text() | st.integers(), max_size=3).map(lambda one: repr(one).encode()),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents, st.lists(st.sampled_from([ADDITION, OTHER]), min_size=1, max_size=3))
def test_any_bytes_come_back_however_often_it_was_connected(
    editor: Editor, file: Path, content: bytes, additions: list[Addition]
) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    try:
        for addition in additions:
            connect(editor, file, addition)
    except Refused:
        assert file.read_bytes() == content
        return
    assert b"shim_hook.py" in file.read_bytes()
    disconnect(editor, file)
    assert file.read_bytes() == content


def test_another_program_that_writes_at_the_same_moment_loses_nothing(editor: Editor, file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"theirs": 1}')
    seen = 0

    def interrupted() -> Edit:
        nonlocal seen
        seen += 1
        edit = editor.connected(file, ADDITION)
        if seen < 3:
            file.write_text(f'{{"theirs": {seen + 1}}}')
        return edit

    editor.make(interrupted, keep_receipt=True)
    assert seen == 3
    assert file.read_text().startswith('{"theirs": 3, "hooks": ')


def test_a_file_that_is_never_at_rest_is_given_up(editor: Editor, file: Path) -> None:
    file.parent.mkdir()
    file.write_text("{}")
    seen = 0

    def interrupted() -> Edit:
        nonlocal seen
        seen += 1
        edit = editor.connected(file, ADDITION)
        file.write_text(f'{{"theirs": {seen}}}')
        return edit

    with pytest.raises(Conflict, match="changed while it was being edited"):
        editor.make(interrupted, keep_receipt=True)
    assert seen == ATTEMPTS
    assert file.read_text() == f'{{"theirs": {ATTEMPTS}}}'
    assert [one.name for one in file.parent.iterdir()] == ["settings.json"]


def test_owner_and_mode_stay(editor: Editor, file: Path) -> None:
    file.parent.mkdir()
    file.write_text("{}")
    file.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(file, 1234, 4321)
    before = file.stat()
    connect(editor, file)
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_backups_are_private(editor: Editor, file: Path) -> None:
    file.parent.mkdir()
    file.write_text("{}")
    connect(editor, file)
    [folder] = editor.receipts.folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {0o600}


def test_a_lost_backup_is_made_up_for_by_recognition(editor: Editor, file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"a": 1}')
    connect(editor, file)
    [folder] = editor.receipts.folder.iterdir()
    (folder / "settings.json").unlink()
    disconnect(editor, file)
    assert file.read_text() == '{"a": 1}'


def test_a_damaged_receipt_is_passed_over(editor: Editor, file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"a": 1}')
    connect(editor, file)
    [folder] = editor.receipts.folder.iterdir()
    (folder / "receipt.json").write_text("{")
    disconnect(editor, file)
    assert file.read_text() == '{"a": 1}'


def test_a_folder_in_the_place_of_the_file_is_refused(editor: Editor, file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(Refused, match="cannot be read"):
        connect(editor, file)


def test_a_folder_that_cannot_be_written_is_named(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file where a folder should be")
    found = disk.Found(tmp_path / "config" / "settings.json", None, disk.PRIVATE, None)
    with pytest.raises(Forbidden, match="cannot be written"):
        disk.replace(found, b"{}", disk.PRIVATE)

from pathlib import Path

import pytest

from shim_agent.supervision.notify import command, notify


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A search path with nothing on it yet."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(path: Path, name: str, script: str) -> str:
    file = path / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    return str(file)


def test_words_are_arguments_and_never_part_of_a_script(path: Path) -> None:
    words = 'it is "over"; $(touch x)'
    sender, scripter = program(path, "notify-send", ""), program(path, "osascript", "")
    assert command("SHIM", words, "linux") == [sender, "--app-name=SHIM", "--", "SHIM", words]
    shown = command("SHIM", words, "darwin")
    assert shown is not None
    assert (shown[0], shown[-2:]) == (scripter, ["SHIM", words])
    assert words not in shown[2]


async def test_a_person_is_told_where_there_is_a_way(path: Path) -> None:
    assert await notify("SHIM", "words") is False
    program(path, "notify-send", f'echo "$@" > {path}/told')
    assert await notify("SHIM", "words") is True
    assert (path / "told").read_text() == "--app-name=SHIM -- SHIM words\n"
    program(path, "notify-send", "exit 1")
    assert await notify("SHIM", "words") is False

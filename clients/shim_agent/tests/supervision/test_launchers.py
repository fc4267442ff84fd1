import os
import sys
from pathlib import Path

import pytest

from shim_agent.supervision.launchers import TMUX, choose, launch, launchers_file, read_launchers
from shim_common.kernel.errors import BadInput, Forbidden, NotFound, Unprocessable

RESUME = ["claude", "--resume", "an id; rm -rf /"]
KITTY = '[launchers.kitty]\ncommand = ["kitty", "-d", "{project}", "--title={session}", "{resume...}"]\n'


@pytest.fixture
def no_tmux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def write(home: Path, text: str, mode: int = 0o600) -> Path:
    file = launchers_file(home)
    file.write_text(text)
    file.chmod(mode)
    return file


def test_placeholders_are_filled_and_nothing_is_read_by_a_shell(tmp_path: Path) -> None:
    write(tmp_path, KITTY)
    launchers, default = read_launchers(tmp_path)
    assert default == "kitty"
    assert launchers["kitty"].arguments("/a b/$HOME", "x{project}", RESUME) == [
        *("kitty", "-d", "/a b/$HOME", "--title=x{project}", *RESUME),
    ]


def test_tmux_gets_arguments_and_no_command_line() -> None:
    assert TMUX.arguments("/p", "s", RESUME) == ["tmux", "new-window", "-c", "/p", "--", *RESUME]


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    write(tmp_path, KITTY, mode)
    with pytest.raises(Forbidden, match="chmod go-w"):
        read_launchers(tmp_path)


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    write(tmp_path, KITTY)
    tmp_path.chmod(0o777)
    with pytest.raises(Forbidden):
        read_launchers(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        '[launchers.x]\ncommand = "kitty {resume...}"',
        '[launchers.x]\ncommand = ["kitty"]',
        '[launchers.x]\ncommand = ["kitty", "sh -c {resume...}"]',
        '[launchers.x]\ncommand = ["{resume...}", "{resume...}"]',
        '[launchers.x]\ncommand = ["kitty", "{resume...}"]\nshell = true',
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(BadInput, match=r"launchers\.toml"):
        read_launchers(tmp_path)


async def test_the_named_one_is_chosen_else_the_default_one(tmp_path: Path, no_tmux: None) -> None:
    two = KITTY + KITTY.replace("kitty", "foot")
    write(tmp_path, two)
    assert (await choose(tmp_path, "foot"))[0] == "foot"
    with pytest.raises(NotFound, match="names no launcher"):
        await choose(tmp_path, None)
    write(tmp_path, f'default = "kitty"\n{two}')
    assert (await choose(tmp_path, None))[0] == "kitty"
    with pytest.raises(NotFound, match="'xterm'"):
        await choose(tmp_path, "xterm")


async def test_without_a_file_and_a_tmux_there_is_none(tmp_path: Path, no_tmux: None) -> None:
    with pytest.raises(NotFound, match="no tmux server runs"):
        await choose(tmp_path, None)


async def test_a_launcher_runs_in_the_folder_and_says_why_it_failed(tmp_path: Path) -> None:
    writing = "import os, sys; open('here', 'w').write(os.environ['WORD']); sys.exit(os.environ['WORD'])"
    with pytest.raises(Unprocessable, match="ended with 1: nonsense"):
        await launch([sys.executable, "-c", writing], tmp_path, {**os.environ, "WORD": "nonsense"})
    assert (tmp_path / "here").read_text() == "nonsense"
    with pytest.raises(Unprocessable, match="cannot be run"):
        await launch([str(tmp_path / "missing")], tmp_path, {})

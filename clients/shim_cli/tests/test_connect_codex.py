"""`shim connect codex`: what is written, that all else stays, and that it comes out again."""

import json
import tomllib
from pathlib import Path

import pytest

from shim_agent.connections import read_connections

from .conftest import Person

VERSION = ("--client-version", "0.169.0")
MINE = """\
# mine
model = "gpt-5.1-codex"   # the large one

[mcp_servers.other]   # kept
command = "other"

[projects."/home/ana/webshop"]
trust_level = "trusted"
"""
TRUST = """
[hooks.state]

[hooks.state."/home/ana/.codex/hooks.json:stop:0:0"]
trusted_hash = "sha256:1"
"""
FORMS = {
    "empty": "",
    "no newline at the end": 'model = "x"',
    "tables": MINE,
    "inline": 'mcp_servers = { other = { command = "o" } }\n',
    "dotted": '[mcp_servers]\nother.command = "o"\n\n[tui]\nx = 1\n',
    "an array of tables": '[[things]]\nname = "a"\n\n[[things]]\nname = "b"\n',
    "windows line ends": '# mine\r\nmodel = "x"\r\n\r\n[tui]\r\nx = 1\r\n',
}


@pytest.fixture
def config(user: Person) -> Path:
    folder = user.home / ".codex"
    folder.mkdir()
    return folder / "config.toml"


def test_everything_is_written_and_taken_back_byte_for_byte(user: Person, config: Path) -> None:
    config.write_text(MINE)
    assert "look at /hooks" in user.run("connect", "codex", *VERSION).output

    written = config.read_text()
    assert all(line in written for line in MINE.splitlines())
    servers = tomllib.loads(written)["mcp_servers"]
    assert servers["shim"].keys() == {"command", "args"}
    assert servers["shim"]["args"][3].endswith("shim_mcp_bridge.py")
    hooks = json.loads(config.with_name("hooks.json").read_text())["hooks"]
    assert set(hooks) == {
        "SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PreCompact", "PostCompact", "Stop",
        "SessionEnd",
    }  # fmt: skip
    assert '"$PPID" codex 2>/dev/null' in hooks["Stop"][0]["hooks"][0]["command"]
    assert [(one.client, one.config_dir) for one in read_connections(user.shim_home)] == [("codex", config.parent)]
    assert "Connected already" in user.does("connect", "codex", *VERSION)

    user.does("disconnect", "codex")
    assert config.read_text() == MINE
    assert not config.with_name("hooks.json").exists()
    assert read_connections(user.shim_home) == []
    assert "Was not connected" in user.does("disconnect", "codex")


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_whatever_the_file_looks_like_it_says_the_same_and_comes_back(user: Person, config: Path, text: str) -> None:
    config.write_bytes(text.encode())
    user.does("connect", "codex", *VERSION)
    said = tomllib.loads(config.read_bytes().decode())
    del said["mcp_servers"]["shim"]
    assert {name: value for name, value in said.items() if value} == tomllib.loads(text)
    user.does("disconnect", "codex")
    assert config.read_bytes() == text.encode()


def test_what_codex_writes_meanwhile_stays(user: Person, config: Path) -> None:
    config.write_text(MINE)
    user.does("connect", "codex", *VERSION)
    with config.open("a") as file:
        file.write(TRUST)
    user.does("disconnect", "codex")
    left = config.read_text()
    assert tomllib.loads(left) == tomllib.loads(MINE + TRUST)
    assert all(line in left for line in (MINE + TRUST).splitlines())


def test_older_versions_and_none_get_no_hooks(user: Person, config: Path) -> None:
    assert "no hooks" in user.run("connect", "codex", "--client-version", "0.140.0").output
    assert "no `codex` on the search path" in user.run("connect", "codex").output
    assert not config.with_name("hooks.json").exists()
    user.does("disconnect", "codex")
    assert not config.exists()


@pytest.mark.parametrize("text", ["model = ", '[mcp_servers.shim]\ncommand = "mine"\n', "mcp_servers = 3\n"])
def test_what_cannot_be_changed_safely_is_refused_and_stays(user: Person, config: Path, text: str) -> None:
    config.write_text(text)
    assert user.run("connect", "codex", *VERSION).exit_code != 0
    assert config.read_text() == text
    assert not config.with_name("hooks.json").exists()
    assert read_connections(user.shim_home) == []


def test_a_dry_run_changes_nothing(user: Person, config: Path) -> None:
    config.write_text(MINE)
    assert "[mcp_servers.shim]" in user.does("connect", "codex", *VERSION, "--dry-run")
    assert config.read_text() == MINE

import json
import os
import stat
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from shim_agent.connections import read_connections

from .conftest import Person
from .fake_shim import INGEST_KEY, FakeShim

VERSION = ("--client-version", "2.1.329")
MINE = """{
    "model" :"opus",
    "permissions": {"allow": ["Bash(ls)",  "Read"]},
    "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "say done"}]}]},
    "env": {
    }
}
"""
REGISTRY = '{"numStartups":7,"projects":{"/p":{"x":1.50}},"mcpServers":{"mine":{"command":"m"}}}'


@pytest.fixture
def config(user: Person) -> Path:
    folder = user.home / ".claude"
    folder.mkdir()
    return folder


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def hooks_in(file: Path) -> dict[str, list[dict[str, object]]]:
    """Return event -> SHIM's hooks."""
    settings = json.loads(file.read_text())
    return {
        event: [hook for group in groups for hook in group["hooks"] if "say done" not in hook.get("command", "")]
        for event, groups in settings["hooks"].items()
    }


def test_everything_is_written_and_taken_back_byte_for_byte(user: Person, config: Path) -> None:
    settings, registry = config / "settings.json", user.home / ".claude.json"
    settings.write_text(MINE)
    settings.chmod(0o640)
    registry.write_text(REGISTRY)

    user.does("connect", "claude-code", *VERSION)

    written = settings.read_text()
    assert written.startswith('{\n    "model" :"opus",\n    "permissions": {"allow": ["Bash(ls)",  "Read"]},')
    assert set(hooks_in(settings)) == {
        "SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "Notification",
        "SubagentStop", "PreCompact", "PostCompact", "Stop", "StopFailure", "SessionEnd",
    }  # fmt: skip
    assert all(len(hooks) == 1 for hooks in hooks_in(settings).values())
    assert INGEST_KEY not in written
    assert '"numStartups":7,"projects":{"/p":{"x":1.50}},"mcpServers":{"mine":{"command":"m"},"shim":' in (
        registry.read_text()
    )
    server = json.loads(registry.read_text())["mcpServers"]["shim"]
    bridge = user.shim_home / "bin" / "shim_mcp_bridge.py"
    assert server["type"] == "stdio"
    assert server["args"][-3:] == [str(bridge), str(port_of(user)), str(user.shim_home / "keys" / "agent.key")]
    assert Path(server["command"]).is_file()
    assert stat.S_IMODE(bridge.stat().st_mode) == 0o600
    assert bridge.read_bytes() == resources.files("shim_mcp").joinpath("bridge.py").read_bytes()
    assert [one.config_dir for one in read_connections(user.shim_home)] == [config]
    assert [backup.read_text() for backup in user.shim_home.glob("backups/settings/*/settings.json")] == [MINE]

    user.does("disconnect", "claude-code")
    assert settings.read_text() == MINE
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    assert registry.read_text() == REGISTRY
    assert read_connections(user.shim_home) == []


def port_of(user: Person) -> int:
    return int(json.loads((user.shim_home / "run.json").read_text())["port"])


def test_connecting_again_changes_nothing(user: Person, config: Path) -> None:
    user.does("connect", "claude-code", *VERSION)
    before = [(file, file.read_bytes(), file.stat().st_ino) for file in files(user)]
    assert "Connected already" in user.does("connect", "claude-code", *VERSION)
    assert [(file, file.read_bytes(), file.stat().st_ino) for file in files(user)] == before


def files(user: Person) -> list[Path]:
    folders = [user.home / ".claude", user.home / ".claude.json", user.shim_home]
    return sorted(file for folder in folders for file in [folder, *folder.rglob("*")] if file.is_file())


def test_connecting_with_another_port_replaces_the_old_hooks_and_still_comes_back(user: Person, config: Path) -> None:
    settings = config / "settings.json"
    settings.write_text(MINE)
    user.does("connect", "claude-code", *VERSION)
    (user.shim_home / "run.json").write_text('{"port": 7999}')
    user.does("connect", "claude-code", *VERSION)
    commands = [hook["command"] for hooks in hooks_in(settings).values() for hook in hooks]
    assert len(commands) == 12
    assert all(" 7999 " in str(command) for command in commands)
    user.does("disconnect", "claude-code")
    assert settings.read_text() == MINE


def test_files_that_did_not_exist_go_away_again(user: Person, config: Path) -> None:
    user.does("connect", "claude-code", *VERSION)
    assert stat.S_IMODE((config / "settings.json").stat().st_mode) == 0o600
    user.does("disconnect", "claude-code")
    assert not (config / "settings.json").exists()
    assert not (user.home / ".claude.json").exists()


def test_what_others_wrote_since_stays_when_shim_goes(user: Person, config: Path) -> None:
    settings = config / "settings.json"
    settings.write_text(MINE)
    user.does("connect", "claude-code", *VERSION)
    changed = json.loads(settings.read_text())
    changed["theme"] = "dark"
    changed["hooks"]["Stop"].append({"hooks": [{"type": "command", "command": "say done twice"}]})
    settings.write_text(json.dumps(changed))
    user.does("disconnect", "claude-code")
    expected = json.loads(MINE)
    expected["theme"] = "dark"
    expected["hooks"]["Stop"].append({"hooks": [{"type": "command", "command": "say done twice"}]})
    assert json.loads(settings.read_text()) == expected


def test_disconnecting_works_without_the_data_folder(user: Person, config: Path) -> None:
    (config / "settings.json").write_text(MINE)
    user.does("connect", "claude-code", *VERSION)
    (user.shim_home).rename(user.home / "elsewhere")
    user.does("disconnect", "claude-code")
    assert json.loads((config / "settings.json").read_text()) == json.loads(MINE)
    assert not user.shim_home.exists()
    assert "Was not connected" in user.does("disconnect", "claude-code")


def test_a_link_stays_a_link_and_its_target_is_written(user: Person, config: Path) -> None:
    target = user.home / "dotfiles" / "claude.json"
    target.parent.mkdir()
    target.write_text("{}")
    (config / "settings.json").symlink_to(target)
    user.does("connect", "claude-code", *VERSION)
    assert (config / "settings.json").is_symlink()
    assert "SessionStart" in target.read_text()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"a": 1, // mine\n"b": 2}', "is not plain JSON (line 1, column 10"),
        ('{"a": 1,}', "is not plain JSON"),
        ('{"hooks": []}', "hooks is not an object"),
        ("\xff", "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_kept_is_left_alone(user: Person, config: Path, text: str, complaint: str) -> None:
    settings = config / "settings.json"
    settings.write_text(text, "latin-1")
    result = user.run("connect", "claude-code", *VERSION)
    assert result.exit_code != 0
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1
    assert settings.read_text("latin-1") == text
    assert not (user.home / ".claude.json").exists()
    assert read_connections(user.shim_home) == []


def test_another_server_of_the_same_name_is_left_alone(user: Person, config: Path) -> None:
    registry = user.home / ".claude.json"
    registry.write_text('{"mcpServers": {"shim": {"command": "window-shim"}}}')
    result = user.run("connect", "claude-code", *VERSION)
    assert result.exit_code == 1
    assert "already called 'shim'" in result.stderr
    assert not (config / "settings.json").exists()


def test_an_older_registration_of_the_server_is_replaced(user: Person, config: Path) -> None:
    registry = user.home / ".claude.json"
    registry.write_text('{"mcpServers": {"shim": {"command": "python", "args": ["-I", "-m", "shim_mcp"]}}}')
    user.does("connect", "claude-code", *VERSION)
    assert "shim_mcp_bridge.py" in registry.read_text()
    assert '"shim_mcp"' not in registry.read_text()


def test_a_dry_run_shows_and_changes_nothing(user: Person, config: Path) -> None:
    (config / "settings.json").write_text(MINE)
    before = files(user)
    shown = user.does("connect", "claude-code", *VERSION, "--hooks", "http", "--dry-run")
    assert "shim_hook.py" in shown
    assert '"SHIM_INGEST_KEY" :"…"' in shown
    assert INGEST_KEY not in shown
    assert files(user) == before
    assert (config / "settings.json").read_text() == MINE


def test_http_hooks_carry_the_key_in_a_private_file(user: Person, config: Path) -> None:
    settings = config / "settings.json"
    settings.write_text(MINE)
    user.does("connect", "claude-code", *VERSION, "--hooks", "http")
    hooks = hooks_in(settings)
    assert hooks["Stop"][0] == {
        "type": "http",
        "url": f"http://127.0.0.1:{port_of(user)}/v1/hooks/claude-code/Stop",
        "timeout": 1,
        "headers": {"Authorization": "Bearer ${SHIM_INGEST_KEY}"},
        "allowedEnvVars": ["SHIM_INGEST_KEY"],
    }
    assert {event for event, [hook] in hooks.items() if hook["type"] == "command"} == {"SessionStart", "SessionEnd"}
    assert json.loads(settings.read_text())["env"] == {"SHIM_INGEST_KEY": INGEST_KEY}
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    user.does("connect", "claude-code", *VERSION)
    assert INGEST_KEY not in settings.read_text()
    assert stat.S_IMODE(settings.stat().st_mode) == 0o644


def test_http_hooks_are_refused_where_the_key_would_get_out(user: Person, config: Path) -> None:
    connect = ("connect", "claude-code", "--hooks", "http")
    assert "need Claude Code 2.1.63" in user.run(*connect, "--client-version", "2.1.62").stderr
    project = ("--scope", "project", "--project", user.home)
    assert "must not hold the key" in user.run(*connect, *VERSION, *project).stderr

    user.environ["http_proxy"] = "http://proxy:3128"
    assert "go through the proxy" in user.run(*connect, *VERSION).stderr
    user.environ["http_proxy"] = None

    (config / "settings.json").write_text('{"allowedHttpHookUrls": ["https://ci.example/*"]}')
    assert "allowedHttpHookUrls" in user.run(*connect, *VERSION).stderr

    git(config, "init")
    result = user.run(*connect, *VERSION)
    assert result.exit_code == 2
    assert "inside a git work tree that does not ignore it" in result.stderr
    assert "SHIM_INGEST_KEY" not in (config / "settings.json").read_text()


@pytest.mark.parametrize(
    ("version", "without"),
    [
        ("2.1.0", {"PostCompact", "StopFailure"}),
        ("2.1.76 (Claude Code)", {"StopFailure"}),
        ("2.1.78", set()),
    ],
)
def test_only_events_that_the_client_knows_are_written(
    user: Person, config: Path, version: str, without: set[str]
) -> None:
    user.does("connect", "claude-code", "--client-version", version)
    newer = {"PostCompact", "StopFailure"}
    assert newer - set(hooks_in(config / "settings.json")) == without
    assert "PermissionRequest" not in (config / "settings.json").read_text()


def test_without_a_client_the_oldest_is_assumed_and_that_is_said(user: Person, config: Path) -> None:
    result = user.run("connect", "claude-code")
    assert result.exit_code == 0
    assert "no `claude` on the search path" in result.stderr
    assert "StopFailure" not in hooks_in(config / "settings.json")


def test_the_installed_client_is_asked(user: Person, config: Path, tmp_path: Path) -> None:
    client = tmp_path / "bin" / "claude"
    client.parent.mkdir()
    client.write_text("#!/bin/sh\necho '2.1.77 (Claude Code)'\n")
    client.chmod(0o755)
    user.environ["PATH"] = f"{client.parent}:/usr/bin:/bin"
    user.does("connect", "claude-code")
    events = set(hooks_in(config / "settings.json"))
    assert "PostCompact" in events
    assert "StopFailure" not in events


@pytest.mark.parametrize("version", ["1.0.55", "2.0.99"])
def test_a_client_that_is_too_old_is_refused(user: Person, version: str) -> None:
    result = user.run("connect", "claude-code", "--client-version", version)
    assert result.exit_code == 2
    assert "too old" in result.stderr


def test_a_folder_of_configuration_can_be_named(user: Person, tmp_path: Path) -> None:
    folder = tmp_path / "work profile"
    user.does("connect", "claude-code", *VERSION, "--config-dir", folder)
    assert "SessionStart" in (folder / "settings.json").read_text()
    assert "shim" in json.loads((folder / ".claude.json").read_text())["mcpServers"]
    user.environ["CLAUDE_CONFIG_DIR"] = str(folder)
    user.does("disconnect", "claude-code")
    assert not (folder / "settings.json").exists()


def test_a_project_gets_local_settings_that_git_ignores(user: Person, config: Path, tmp_path: Path) -> None:
    project = tmp_path / "webshop"
    project.mkdir()
    git(project, "init")
    connect = ("connect", "claude-code", *VERSION, "--scope", "project", "--project", project)
    refused = user.run(*connect)
    assert refused.exit_code == 2
    assert ".git/info/exclude" in refused.stderr
    (project / ".git" / "info" / "exclude").write_text(".claude/settings.local.json\n")

    user.does(*connect)
    assert "SessionStart" in (project / ".claude" / "settings.local.json").read_text()
    assert not (project / ".claude" / "settings.json").exists()
    registry = json.loads((user.home / ".claude.json").read_text())
    assert list(registry["projects"][str(project)]["mcpServers"]) == ["shim"]

    user.does("connect", "claude-code", *VERSION)
    user.does("disconnect", "claude-code", "--scope", "project", "--project", project)
    assert not (project / ".claude" / "settings.local.json").exists()
    registry = json.loads((user.home / ".claude.json").read_text())
    assert list(registry) == ["mcpServers"]
    assert len(read_connections(user.shim_home)) == 1
    user.does("disconnect", "claude-code")
    assert read_connections(user.shim_home) == []


def test_the_hook_command_reaches_shim_and_is_silent_without_it(user: Person, shim: FakeShim, config: Path) -> None:
    user.does("connect", "claude-code", *VERSION)
    command = str(hooks_in(config / "settings.json")["SessionStart"][0]["command"])
    shim.add_session(client_session_id="s-1")
    payload = json.dumps({"session_id": "s-1", "cwd": "/p", "source": "resume"})

    def call() -> subprocess.CompletedProcess[str]:
        return subprocess.run(["sh", "-c", command], input=payload, capture_output=True, text=True, check=False)

    answered = call()
    assert json.loads(answered.stdout)["hookSpecificOutput"] == {"additionalContext": "bundle"}
    assert shim.hooks[0][0] == "SessionStart"
    assert shim.hooks[0][2] == str(os.getpid())

    for gone in (user.shim_home / "keys" / "ingest.key", user.shim_home / "bin" / "shim_hook.py"):
        gone.unlink()
        silent = call()
        assert (silent.stdout, silent.stderr, silent.returncode) == ("", "", 0)
    assert len(shim.hooks) == 1


def test_a_shim_on_another_machine_is_refused(user: Person) -> None:
    user.environ["SHIM_URL"] = "https://shim.example"
    result = user.run("connect", "claude-code", *VERSION)
    assert result.exit_code == 2
    assert "on this machine only" in result.stderr


def test_disabled_hooks_are_mentioned(user: Person, config: Path) -> None:
    (config / "settings.json").write_text('{"disableAllHooks": true}')
    assert "disableAllHooks is on" in user.run("connect", "claude-code", *VERSION).stderr


def test_desktop_gets_the_server_and_the_truth(user: Person) -> None:
    file = user.home / "Claude" / "claude_desktop_config.json"
    file.parent.mkdir()
    file.write_text('{"mcpServers": {"mine": {"command": "m"}}, "globalShortcut": ""}')
    before = file.read_bytes()
    said = user.does("connect", "claude-desktop", "--file", file)
    assert "Not kept, because Claude Desktop has no hooks" in said
    servers = json.loads(file.read_text())["mcpServers"]
    assert list(servers) == ["mine", "shim"]
    assert set(servers["shim"]) == {"command", "args", "env"}
    assert servers["shim"]["args"] == ["-I", "-m", "shim_mcp"]
    assert servers["shim"]["env"] == {"SHIM_HOME": str(user.shim_home), "SHIM_URL": f"http://127.0.0.1:{port_of(user)}"}
    user.does("disconnect", "claude-desktop", "--file", file)
    assert file.read_bytes() == before

"""The commands that README.md shows are commands."""

import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shim_cli.main import application

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = [block or inline for block, inline in re.findall(r"```console\n(.*?)```|`([^`\n]+)`", README, re.DOTALL)]
APPLICATION = application()


def shown(program: str) -> list[str]:
    """The words that follow `program` in the README's code."""
    calls = re.compile(rf"(?:^|[\s/]){program} ((?:[a-z][a-z-]* ?)+)")
    found = {words.strip() for code in CODE for words in calls.findall(code)}
    return sorted(found | (set(_abbreviated()) if program == "shim" else set()))


def _abbreviated() -> list[str]:
    """The commands that the table of commands names without `shim` in front: `shim up`, `down`."""
    rows = re.findall(r"^\| `shim ([^|]*) \|", README, re.MULTILINE)
    return [name.strip() for row in rows for name in re.findall(r"`([a-z-]+)`", row)]


def test_the_readme_shows_what_this_looks_at() -> None:
    assert {"up", "down", "logs", "connect claude-code", "replay", "demo", "restore"} <= set(shown("shim"))
    assert {"up", "test"} <= set(shown("make"))


@pytest.mark.parametrize("command", shown("shim"))
def test_shim_knows_every_command_of_the_readme(command: str) -> None:
    ran = CliRunner().invoke(APPLICATION, [*command.split(), "--help"])

    assert ran.exit_code == 0, ran.output
    assert f"{command} [OPTIONS]" in ran.output


@pytest.mark.parametrize("target", shown("make"))
def test_make_knows_every_target_of_the_readme(target: str) -> None:
    dry = subprocess.run(["make", "-n", "-C", str(ROOT), target], capture_output=True, text=True, check=False)

    assert dry.returncode == 0, dry.stderr

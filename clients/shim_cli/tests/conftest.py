"""A private home, a fake SHIM behind it, and the command as a user would type it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from shim_cli.main import application

from .fake_shim import ADMIN_KEY, INGEST_KEY, FakeShim, serving


@pytest.fixture(scope="session")
def app() -> typer.Typer:
    return application()


@pytest.fixture(scope="session")
def served() -> Iterator[FakeShim]:
    with serving(FakeShim()) as shim:
        yield shim


@pytest.fixture
def shim(served: FakeShim) -> FakeShim:
    """A SHIM without anything in it."""
    served.forget()
    return served


@dataclass
class Person:
    """Somebody at a command line, with a home of their own and nothing else in the environment."""

    app: typer.Typer
    home: Path
    environ: dict[str, str | None]

    @property
    def shim_home(self) -> Path:
        return self.home / "data"

    def run(self, *arguments: str | Path) -> Result:
        return CliRunner().invoke(self.app, [str(one) for one in arguments], env=self.environ)

    def does(self, *arguments: str | Path) -> str:
        """Run a command that works, and return what it prints."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def reads(self, *arguments: str | Path) -> Any:
        return json.loads(self.does(*arguments, "--json"))


@pytest.fixture
def nobody(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Somebody whose SHIM never ran."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("CLAUDE_CONFIG_DIR", "SHIM_URL", "SHIM_KEY_FILE", "XDG_CONFIG_HOME", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    environ: dict[str, str | None] = {
        "HOME": str(home),
        "SHIM_HOME": str(home / "data"),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "PATH": "/usr/bin:/bin",
        "COLUMNS": "200",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, str(value))
    return Person(app, home, environ)


@pytest.fixture
def user(nobody: Person, shim: FakeShim) -> Person:
    """Somebody whose SHIM runs."""
    keys = nobody.shim_home / "keys"
    keys.mkdir(parents=True, mode=0o700)
    for name, key in (("admin.key", ADMIN_KEY), ("ingest.key", INGEST_KEY)):
        (keys / name).write_text(key)
        (keys / name).chmod(0o600)
    port = int(shim.url.rpartition(":")[2])
    (nobody.shim_home / "run.json").write_text(json.dumps({"port": port}))
    return nobody

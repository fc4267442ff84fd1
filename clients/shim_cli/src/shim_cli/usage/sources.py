"""Which transcripts to read: those in the folders of connected clients, or under given paths."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from shim_cli.connect.layout import ClaudeCodeFiles, Scope
from shim_cli.connect.receipts import Receipt
from shim_cli.home import Home

PROJECTS = "projects"
"""Folder of a configuration folder that holds the transcripts."""

SUBAGENTS = "subagents"
"""Folder of a session that holds those of its subagents."""


def config_dirs(home: Home, environ: Mapping[str, str]) -> list[Path]:
    """Return the configuration folders that SHIM was connected to, and the client's present one."""
    present = ClaudeCodeFiles.of(environ, Scope.USER, config_dir=None, project=Path.cwd()).config_dir
    connected = (Path(receipt.config_dir) for receipt in _receipts(home))
    return sorted({present, *connected})


def transcripts(paths: Iterable[Path]) -> list[Path]:
    """Return the transcripts under files and folders, each once, those of subagents last.

    Of a configuration folder only its projects are looked at.
    """
    found = {file.resolve(): file for path in paths for file in _under(path)}
    return sorted(found.values(), key=lambda file: (SUBAGENTS in file.parts, file))


def project_folder_of(file: Path) -> str | None:
    """Return the folder that the client named after the project; None for a file outside of a configuration folder."""
    parts = file.absolute().parts
    if PROJECTS not in parts[:-2]:
        return None
    return parts[len(parts) - 1 - parts[-3::-1].index(PROJECTS) - 1]


def _under(path: Path) -> Iterable[Path]:
    if not path.is_dir():
        return [path]
    projects = path / PROJECTS
    return (projects if projects.is_dir() else path).rglob("*.jsonl")


def _receipts(home: Home) -> Iterable[Receipt]:
    for file in home.backups.glob("*/receipt.json"):
        try:
            yield Receipt.model_validate_json(file.read_bytes())
        except (OSError, ValidationError):
            continue  # a damaged receipt names no folder

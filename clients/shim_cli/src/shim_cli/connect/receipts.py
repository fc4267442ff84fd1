"""What SHIM wrote into which settings file, and how the file was before: so that it can be taken back exactly."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from shim_cli.connect.disk import Edit
from shim_common.contracts.base import Moment, Sha256, Wire
from shim_common.kernel.secrets import write_private


class Receipt(Wire):
    """One place in one settings file that SHIM wrote to."""

    number: int
    """Counts up, because clocks go back."""
    path: str
    place: list[str]
    """Where in the file the MCP server is registered: a user's and a project's may share a file."""
    config_dir: str
    at: Moment
    original: str | None
    """Name of the backup that holds the file without anything of SHIM's; None where there was no file."""
    original_mode: int
    overwritten: str | None
    """Name of the backup of what was there just before, SHIM's older parts included."""
    written: Sha256


@dataclass(frozen=True)
class Receipts:
    """The receipts in a folder, one subfolder a change, named for its time."""

    folder: Path

    def newest(self, path: Path, place: Sequence[str]) -> tuple[Receipt, Path] | None:
        """Return the newest receipt of a place and the folder with its backups."""
        wanted = (str(path), list(place))
        return next((found for found in self._all() if (found[0].path, found[0].place) == wanted), None)

    def written(self, config_dir: Path) -> list[Path]:
        """Return the files that SHIM ever wrote for this configuration folder."""
        return sorted({Path(receipt.path) for receipt, _ in self._all() if receipt.config_dir == str(config_dir)})

    def save(self, edit: Edit, config_dir: Path, at: datetime) -> None:
        """Keep the backups and the receipt of a change that is about to be made."""
        number = 1 + max((receipt.number for receipt, _ in self._all()), default=0)
        folder = self._new_folder(at)
        before, name = edit.found.content, edit.path.name
        if edit.original is not None:
            write_private(folder / name, edit.original)
        replaced = before is not None and before != edit.original
        if before is not None and replaced:
            write_private(folder / f"{name}.overwritten", before)
        receipt = Receipt(
            number=number,
            path=str(edit.path),
            place=list(edit.place),
            config_dir=str(config_dir),
            at=at,
            original=None if edit.original is None else name,
            original_mode=edit.original_mode,
            overwritten=f"{name}.overwritten" if replaced else None,
            written=digest(edit.after or b""),
        )
        write_private(folder / "receipt.json", receipt.model_dump_json(indent=2).encode())

    def _all(self) -> list[tuple[Receipt, Path]]:
        """Return all receipts with their folders, newest first."""
        found = [(receipt, file.parent) for file in self.folder.glob("*/receipt.json") if (receipt := _read(file))]
        return sorted(found, key=lambda one: one[0].number, reverse=True)

    def _new_folder(self, at: datetime) -> Path:
        stem = at.strftime("%Y%m%dT%H%M%S.%fZ")
        folder, number = self.folder / stem, 1
        while folder.exists():
            folder, number = self.folder / f"{stem}-{number}", number + 1
        folder.mkdir(parents=True, mode=0o700)
        return folder


def _read(file: Path) -> Receipt | None:
    try:
        return Receipt.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None  # a damaged receipt vouches for nothing; what it was for is found by recognition


def digest(content: bytes) -> str:
    """Return the SHA-256 of a content."""
    return hashlib.sha256(content).hexdigest()

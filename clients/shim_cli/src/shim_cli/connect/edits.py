"""One settings file from as it is to as it should be: SHIM's parts put in, or taken out again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shim_cli.connect import disk, json_text, settings_file, toml_file
from shim_cli.connect.disk import Edit, Found
from shim_cli.connect.json_text import Path as Steps
from shim_cli.connect.receipts import Receipts, digest
from shim_cli.connect.settings_file import USER_SERVERS, Addition, Place
from shim_cli.errors import Refused
from shim_common.contracts.base import JsonObject
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import Conflict

ATTEMPTS = 5
"""How often an edit starts anew because another program wrote the file meanwhile."""


class Rules(Protocol):
    """The merge rules of a kind of file: `settings_file` for JSON, `toml_file` for TOML."""

    def parse(self, text: str) -> JsonObject:
        """Return what the text says."""
        ...

    def added(self, text: str, addition: Addition) -> str:
        """Return the text with SHIM's parts."""
        ...

    def removed(self, text: str, place: Place = ..., *, keep: frozenset[Steps] = ...) -> str:
        """Return the text without them."""
        ...

    def containers(self, text: str, place: Place = ...) -> frozenset[Steps]:
        """Return the places for them that exist already."""
        ...

    def holds_key(self, text: str) -> bool:
        """Tell whether the ingest key stands in the text."""
        ...


@dataclass(frozen=True)
class Editor:
    """Edits settings files of one kind and keeps receipts of it."""

    receipts: Receipts
    config_dir: Path
    clock: Clock
    rules: Rules = settings_file

    def connected(self, path: Path, addition: Addition) -> Edit:
        """Work out the file with the addition; a file that has it already stays as it is.

        Raises:
            Refused: the file cannot be changed without losing something.
            Conflict: something of the user's stands where SHIM's part belongs.
        """
        found = disk.find(path)
        with _naming(found.path):
            original, mode = self._original(found, addition.server_place)
            clean = "" if original is None else Found(found.path, original, mode, None).text
            text = self.rules.added(clean, addition)
            if self.rules.parse(text) == self.rules.parse(found.text):
                text = found.text
            after_mode = mode & disk.PRIVATE if addition.env else mode
        return Edit(found, addition.server_place, original, mode, found.encoded(text), after_mode)

    def disconnected(self, path: Path, place: Place = USER_SERVERS) -> Edit:
        """Work out the file without anything of SHIM's: byte for byte as it was if nobody else changed it.

        Raises:
            Refused: the file cannot be changed without losing something.
        """
        found = disk.find(path)
        with _naming(found.path):
            original, mode = self._original(found, place)
        return Edit(found, place, original, mode, original, mode)

    def make(self, work_out: Callable[[], Edit], *, keep_receipt: bool) -> Edit:
        """Work an edit out and make it, anew if another program writes the file at the same moment.

        Raises:
            Conflict: that happened `ATTEMPTS` times, or the edit itself meets something of the user's.
            Forbidden: the file cannot be written.
        """
        for attempt in range(1, ATTEMPTS + 1):
            edit = work_out()
            try:
                self._apply(edit, keep_receipt=keep_receipt)
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
            else:
                return edit
        raise AssertionError("the last attempt returns or raises")

    def _apply(self, edit: Edit, *, keep_receipt: bool) -> None:
        if not edit.changes:
            return
        if edit.after is None:
            disk.remove(edit.found)
            return
        if keep_receipt:
            self.receipts.save(edit, self.config_dir, self.clock.now())
        disk.replace(edit.found, edit.after, edit.mode)

    def _original(self, found: Found, place: Place) -> tuple[bytes | None, int]:
        """Return the file's content and mode as if SHIM had never been at this place."""
        if found.content is None:
            return None, found.mode
        known = self.receipts.newest(found.path, place)
        if known is None:
            return found.encoded(self.rules.removed(found.text, place)), found.mode
        receipt, folder = known
        before = _backup(folder, receipt.original)
        mode = receipt.original_mode if self.rules.holds_key(found.text) else found.mode
        if digest(found.content) == receipt.written and (before is None) is (receipt.original is None):
            return before, mode
        text = found.text
        keep = self.rules.containers((before or b"").decode("utf-8-sig"), place)
        clean = self.rules.removed(text, place, keep=keep)
        if receipt.original is None and self.rules.parse(clean) == {}:
            return None, mode
        return (found.content if clean == text else found.encoded(clean)), mode


def _backup(folder: Path, name: str | None) -> bytes | None:
    try:
        return None if name is None else (folder / name).read_bytes()
    except OSError:
        return None


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what is wrong with a text into what is wrong with a file."""
    try:
        yield
    except json_text.NotPlainJson as error:
        raise Refused(
            f"{path} is not plain JSON ({error}); SHIM leaves it as it is. "
            "Take comments and trailing commas out, then run the command again"
        ) from None
    except toml_file.NotPlainToml as error:
        raise Refused(f"{path} cannot be changed without losing something ({error}); SHIM leaves it as it is") from None
    except Conflict as error:
        raise Conflict(f"{path}: {error.detail}") from None

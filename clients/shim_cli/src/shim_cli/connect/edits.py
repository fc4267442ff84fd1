"""One settings file from as it is to as it should be: SHIM's parts put in, or taken out again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shim_cli.connect import disk, json_text, settings_file
from shim_cli.connect.disk import Edit, Found
from shim_cli.connect.receipts import Receipts, digest
from shim_cli.connect.settings_file import USER_SERVERS, Addition, Place
from shim_cli.errors import Refused
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import Conflict

ATTEMPTS = 5
"""How often an edit starts anew because another program wrote the file meanwhile."""


@dataclass(frozen=True)
class Editor:
    """Edits settings files and keeps receipts of it."""

    receipts: Receipts
    config_dir: Path
    clock: Clock

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
            text = settings_file.added(clean, addition)
            if json_text.parse(text) == json_text.parse(found.text):
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
            return found.encoded(settings_file.removed(found.text, place)), found.mode
        receipt, folder = known
        before = _backup(folder, receipt.original)
        mode = receipt.original_mode if settings_file.holds_key(found.text) else found.mode
        if digest(found.content) == receipt.written and (before is None) is (receipt.original is None):
            return before, mode
        text = found.text
        keep = settings_file.containers((before or b"").decode("utf-8-sig"), place)
        clean = settings_file.removed(text, place, keep=keep)
        if receipt.original is None and json_text.parse(clean) == {}:
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
    except Conflict as error:
        raise Conflict(f"{path}: {error.detail}") from None

"""The person's terminal."""

import fcntl
import os
import select
import signal
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

INPUT, OUTPUT = 0, 1

_ALTERNATE, _ORDINARY = b"\x1b[?1049h", b"\x1b[?1049l"

_RESET = (
    b"\x1b[?25h"  # the cursor is shown
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l"  # no reports of the mouse and of focus
    b"\x1b[?2004l\x1b[?2026l"  # no brackets around pastes, no held-back drawing
    b"\x1b[<u\x1b[>4;0m"  # keys as they ever were
    b"\x1b[0m\r\x1b[K"
)
"""What a client that is killed cannot take back itself; terminals pass over what they do not know."""


class Terminal:
    """Standard input and output where both are the same terminal."""

    def __init__(self) -> None:
        self._before = termios.tcgetattr(INPUT)
        self._is_alternate = False
        self._tail = b""

    @staticmethod
    def is_here() -> bool:
        """Tell whether there is one: where input or output lead elsewhere, the client gets them as they are."""
        return os.isatty(INPUT) and os.isatty(OUTPUT)

    @property
    def attributes(self) -> list[int | list[bytes | int]]:
        """How it was set before the client had it."""
        return self._before

    def note(self, shown: bytes) -> None:
        """Take note of what the client writes: it may not live to leave the alternate screen."""
        seen = self._tail + shown
        entered, left = seen.rfind(_ALTERNATE), seen.rfind(_ORDINARY)
        if entered != left:
            self._is_alternate = entered > left
        self._tail = seen[-len(_ALTERNATE) + 1 :]

    def reset(self) -> bytes:
        """Return what puts the screen in order after a client that was killed."""
        # Leaving a screen that it is not on would move the cursor.
        leaving = _ORDINARY if self._is_alternate else b""
        self._is_alternate = False
        return leaving + _RESET

    @property
    def size(self) -> bytes:
        """Its size, as the kernel writes it."""
        return fcntl.ioctl(OUTPUT, termios.TIOCGWINSZ, bytes(8))

    @contextmanager
    def raw(self) -> Iterator[None]:
        """Pass every key through, for the length of a block. What was typed before is kept."""
        self.enter_raw()
        try:
            yield
        finally:
            self.leave_raw()

    def enter_raw(self) -> None:
        """Set it to pass every key through. In the background this stops the process, until it is in front again."""
        self._before = termios.tcgetattr(INPUT)
        tty.setraw(INPUT, termios.TCSADRAIN)

    def leave_raw(self) -> None:
        """Set it as it was."""
        termios.tcsetattr(INPUT, termios.TCSADRAIN, self._before)

    def suspend(self) -> None:
        """Stop this job, as Ctrl-Z would have; return when it goes on, or at once where nobody could continue it."""
        self.leave_raw()
        os.killpg(0, signal.SIGTSTP)
        self.enter_raw()

    def forget_typed(self) -> None:
        """Drop what was typed and not read: it was meant for the client."""
        termios.tcflush(INPUT, termios.TCIFLUSH)

    def line_typed(self) -> str | None:
        """Return a line that was typed by now, without waiting; None if there is none, or the terminal is gone."""
        ready, _, _ = select.select([INPUT], [], [], 0)
        if not ready:
            return None
        try:
            return os.read(INPUT, 4096).decode(errors="replace").strip()
        except OSError:
            return None

"""What `shim run` says to the person, and what the person answers, while no client has the terminal."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum

import psutil

from shim_cli.output import plain
from shim_cli.run.client import write_all
from shim_cli.run.terminal import INPUT, Terminal

ASK_SECONDS = 10.0
"""How long a question about running tools waits for its answer."""

LOOK_SECONDS = 0.5
"""Between looks whether the session was asked for from elsewhere."""

_SHOWN_COMMAND = 60
_YES = ("y", "yes")


class Verdict(StrEnum):
    """How a wait ended."""

    OVER = "over"
    ASKED_FOR = "asked for"
    GIVEN_UP = "given up"
    HUNG_UP = "hung up"


class Speech:
    """One line at a time, on the terminal, or on the standard error where there is none."""

    def __init__(self, terminal: Terminal | None) -> None:
        self._terminal = terminal
        self._ended_by: signal.Signals | None = None

    @property
    def has_listener(self) -> bool:
        """Whether a person can answer."""
        return self._terminal is not None

    @property
    def ended_by(self) -> signal.Signals | None:
        """The signal by which this command was asked to end during a wait."""
        return self._ended_by

    def say(self, words: str) -> None:
        """Say something, on a screen that is in order again whatever a dead client left it in."""
        line = f"shim: {plain(words)}\n".encode()
        if self._terminal is None:
            os.write(2, line)
        else:
            write_all(self._terminal.reset() + line)

    async def wait(self, words: str, seconds: float | None, is_asked_for: Callable[[], bool]) -> Verdict:
        """Say what is waited for, and wait: so long, without end if that is None, or until the person decides.

        Enter is for now, Ctrl-C for never.
        """
        if seconds == 0:
            self.say(words)
            return Verdict.OVER
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        with self._listening() as heard:
            self.say(words)
            while end is None or loop.time() < end:
                left = LOOK_SECONDS if end is None else min(LOOK_SECONDS, end - loop.time())
                try:
                    said = await asyncio.wait_for(heard.get(), left)
                except TimeoutError:
                    if is_asked_for():
                        return Verdict.ASKED_FOR
                    continue
                return said if isinstance(said, Verdict) else Verdict.ASKED_FOR
        return Verdict.OVER

    async def may_end(self, tools: Sequence[psutil.Process]) -> bool:
        """Ask whether these may be ended; silence keeps them."""
        if self._terminal is None:
            return False
        with self._listening() as heard:
            self.say(f"{described(tools)}. End them before the session goes on? [y/N], kept in {ASK_SECONDS:g} s")
            try:
                said = await asyncio.wait_for(heard.get(), ASK_SECONDS)
            except TimeoutError:
                return False
        return isinstance(said, str) and said.lower() in _YES

    @contextmanager
    def _listening(self) -> Iterator["asyncio.Queue[str | Verdict]"]:
        """Hear lines and signals for the length of a block. Keys pressed before were meant for the client."""
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[str | Verdict] = asyncio.Queue()
        terminal = self._terminal

        def hear_line() -> None:
            line = terminal.line_typed() if terminal else None
            if line is None:
                loop.remove_reader(INPUT)
            else:
                heard.put_nowait(line)

        def hear_end(number: signal.Signals) -> None:
            self._ended_by = number
            heard.put_nowait(Verdict.HUNG_UP)

        loop.add_signal_handler(signal.SIGINT, heard.put_nowait, Verdict.GIVEN_UP)
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, hear_end, number)
        if terminal is not None:
            terminal.forget_typed()
            loop.add_reader(INPUT, hear_line)
        try:
            yield heard
        finally:
            loop.remove_reader(INPUT)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)


def described(tools: Sequence[psutil.Process]) -> str:
    """Say what still runs."""
    named = ", ".join(f"{one.pid} ({_command(one)})" for one in tools)
    return f"still running from the session: {named}"


def _command(process: psutil.Process) -> str:
    try:
        words = " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        return "ended just now"
    return words if len(words) <= _SHOWN_COMMAND else f"{words[:_SHOWN_COMMAND]}…"

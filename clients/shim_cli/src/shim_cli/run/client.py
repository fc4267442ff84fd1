"""One process of the client: on a terminal of its own, or straight on what this command was given."""

import asyncio
import fcntl
import os
import pty
import select
import signal
import socket
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from shim_agent.processes.identity import reference
from shim_cli.run import monitor
from shim_cli.run.children import Children
from shim_cli.run.exits import Exit
from shim_cli.run.terminal import INPUT, OUTPUT, Terminal
from shim_common.contracts.sessions import ProcessRef

CHUNK = 64 * 1024
"""Read and written at once; as much may wait for a client that does not read."""

LAST_WORDS_SECONDS = 0.3
"""How long to wait for the rest of a dead client's output: a process that it left may hold its terminal open."""

_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_FROM_THE_KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a client ended. `on_purpose`: this command was asked to end it, and passed that on."""

    exit: Exit
    on_purpose: bool


OnStart = Callable[[ProcessRef], None]
"""Hears of the process before it runs the program."""


class CannotRun(Exception):
    """The program cannot be run; the errno is the argument."""


async def run(
    command: Sequence[str], folder: Path, terminal: Terminal | None, children: Children, on_start: OnStart
) -> Ended:
    """Run the client until it has ended; the terminal is as it was when this returns.

    Raises:
        CannotRun: there is no such program, or it may not be run.
    """
    if terminal is None:
        return await _Plain(command, folder, children, on_start).run()
    return await _OnPty(command, folder, children, on_start, terminal).run()


class _Client:
    """What both ways have in common: starting when it is allowed, passing signals on, waiting."""

    def __init__(self, command: Sequence[str], folder: Path, children: Children, on_start: OnStart) -> None:
        self._command = command
        self._folder = folder
        self._children = children
        self._on_start = on_start
        self._pid = 0
        self._on_purpose = False
        self._loop = asyncio.get_running_loop()

    def _let_go(self, link: socket.socket, pid: int) -> None:
        """Note who the client is, then let it run: however fast it ends, it cannot be mistaken for another."""
        self._pid = pid
        with suppress(psutil.Error):
            self._on_start(reference(psutil.Process(pid)))
        link.sendall(monitor.GO)

    def _forward(self, number: signal.Signals) -> None:
        if number in _ENDING:
            self._on_purpose = True
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, number)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        for number in _FORWARDED:
            self._loop.add_signal_handler(number, self._forward, number)
        try:
            yield
        finally:
            for number in _FORWARDED:
                self._loop.remove_signal_handler(number)


class _Plain(_Client):
    """The client on our own input and output: pipes, files, or a terminal for one of them."""

    async def run(self) -> Ended:
        link, inner = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            link.close()
            monitor.become(inner, self._command, self._folder, foreground=False)
        inner.close()
        self._children.expect(pid)
        with link, self._signals():
            self._let_go(link, pid)
            status = await self._children.ended(pid)
            link.settimeout(0)
            with suppress(BlockingIOError, ConnectionError):
                _raise_refusal(link.recv(monitor.FRAME.size))
        return Ended(Exit.of(status), self._on_purpose)

    def _forward(self, number: signal.Signals) -> None:
        """Pass a signal on, unless the keyboard has sent it to the client as well."""
        if number in _FROM_THE_KEYBOARD and _is_in_front():
            return
        super()._forward(number)


class _OnPty(_Client):
    """The client on a terminal of its own, which is shown on ours."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        children: Children,
        on_start: OnStart,
        terminal: Terminal,
    ) -> None:
        super().__init__(command, folder, children, on_start)
        self._terminal = terminal
        self._typed = bytearray()
        self._master = -1
        self._silent = asyncio.Event()

    async def run(self) -> Ended:
        link, inner = socket.socketpair()
        watcher, self._master = self._fork(link, inner)
        inner.close()
        link.settimeout(0)
        try:
            with link, self._terminal.raw(), self._signals(), self._shown():
                end = await self._follow(link)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._silent.wait(), LAST_WORDS_SECONDS)
        finally:
            os.close(self._master)
            await self._children.ended(watcher)
        return Ended(end, self._on_purpose)

    def _fork(self, link: socket.socket, inner: socket.socket) -> tuple[int, int]:
        attributes, size = self._terminal.attributes, self._terminal.size
        watcher, master = pty.fork()
        if watcher == 0:
            link.close()
            termios.tcsetattr(INPUT, termios.TCSANOW, attributes)
            fcntl.ioctl(INPUT, termios.TIOCSWINSZ, size)
            monitor.watch_over(inner, self._command, self._folder)
        self._children.expect(watcher)
        os.set_blocking(master, False)
        return watcher, master

    async def _follow(self, link: socket.socket) -> Exit:
        """Act on what the monitor tells until the client has ended."""
        while True:
            frame = await self._loop.sock_recv(link, monitor.FRAME.size)
            if len(frame) < monitor.FRAME.size:
                return Exit()  # the monitor was killed, and with it went the client's terminal
            _raise_refusal(frame)
            what, number = monitor.FRAME.unpack(frame)
            if what == monitor.STARTED:
                self._let_go(link, number)
            elif what == monitor.STOPPED:
                self._suspend(link)
            else:
                return Exit.of(number)

    def _suspend(self, link: socket.socket) -> None:
        self._show_rest()
        self._terminal.suspend()
        self._resize()
        link.sendall(monitor.GO)

    @contextmanager
    def _shown(self) -> Iterator[None]:
        self._loop.add_reader(INPUT, self._read_keys)
        self._loop.add_reader(self._master, self._show)
        self._loop.add_signal_handler(signal.SIGWINCH, self._resize)
        try:
            yield
        finally:
            self._loop.remove_signal_handler(signal.SIGWINCH)
            self._loop.remove_reader(INPUT)
            self._loop.remove_reader(self._master)
            self._loop.remove_writer(self._master)

    def _resize(self) -> None:
        with suppress(OSError):
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, self._terminal.size)

    def _read_keys(self) -> None:
        try:
            keys = os.read(INPUT, CHUNK)
        except OSError:
            keys = b""
        if not keys:
            self._loop.remove_reader(INPUT)  # the terminal is gone; SIGHUP says the rest
            return
        if not self._typed:
            self._loop.add_writer(self._master, self._pass_keys)
        self._typed += keys
        if len(self._typed) > CHUNK:
            self._loop.remove_reader(INPUT)

    def _pass_keys(self) -> None:
        try:
            del self._typed[: os.write(self._master, self._typed)]
        except BlockingIOError:
            return
        except OSError:
            self._typed.clear()
        if not self._typed:
            self._loop.remove_writer(self._master)
        if len(self._typed) <= CHUNK:
            self._loop.add_reader(INPUT, self._read_keys)

    def _show(self) -> None:
        try:
            shown = os.read(self._master, CHUNK)
        except BlockingIOError:
            return
        except OSError:  # nobody has the client's terminal open any more: Linux says so with EIO
            shown = b""
        if not shown:
            self._loop.remove_reader(self._master)
            self._silent.set()
            return
        self._terminal.note(shown)
        write_all(shown)

    def _show_rest(self) -> None:
        """Show what the client wrote before it stopped."""
        with suppress(OSError):
            while shown := os.read(self._master, CHUNK):
                write_all(shown)


def write_all(data: bytes) -> None:
    """Write to the standard output, however slow it is; what nobody reads any more is lost."""
    view = memoryview(data)
    with suppress(BrokenPipeError):
        while view:
            try:
                view = view[os.write(OUTPUT, view) :]
            except BlockingIOError:
                select.select([], [OUTPUT], [])
            except OSError:
                return


def _raise_refusal(frame: bytes) -> None:
    if len(frame) == monitor.FRAME.size:
        what, number = monitor.FRAME.unpack(frame)
        if what == monitor.REFUSED:
            raise CannotRun(number)


def _is_in_front() -> bool:
    """Tell whether our process group has a terminal, whose keys then reach all of it."""
    for descriptor in (INPUT, OUTPUT, 2):
        with suppress(OSError):
            return os.tcgetpgrp(descriptor) == os.getpgrp()
    return False

"""The process between `shim run` and the client: it leads the session on the client's terminal.

A process that leads a session has nobody in it to be stopped and continued by: the kernel drops Ctrl-Z for it. So the
monitor leads, the client is its child in a process group of its own, and the kernel treats both as it treats a shell
and its job. The monitor does nothing but wait; it runs in a fork of `shim run` and uses no more than the os module.
"""

import os
import signal
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

FRAME = struct.Struct("!ci")
"""A word on the link: what, and a number."""

STARTED, STOPPED, ENDED, REFUSED = b"P", b"S", b"E", b"X"
"""Told by the monitor: the client's pid, the signal that stopped it, its wait status, why it cannot be run (errno)."""

GO = b"G"
"""Told to the monitor: run the program; continue it."""

_CANNOT_RUN = 127


def watch_over(link: socket.socket, command: Sequence[str], folder: Path) -> NoReturn:
    """Run the client on this process's terminal and tell of it until it has ended. Called in the forked process."""
    try:
        _stand_aside()
        client = os.fork()
        if client == 0:
            become(link, command, folder, foreground=True)
        link.sendall(FRAME.pack(STARTED, client))
        _tell(link, client)
    finally:
        os._exit(0)


def become(link: socket.socket, command: Sequence[str], folder: Path, *, foreground: bool) -> NoReturn:
    """Become the client once it is allowed. Called in the forked process."""
    try:
        if foreground:
            os.setpgid(0, 0)
        if not link.recv(1):
            os._exit(0)  # nobody waits for a client any more
        if foreground:
            os.tcsetpgrp(0, os.getpgrp())
        _forget_signals()
        os.chdir(folder)
        os.execvp(command[0], list(command))  # noqa: S606 - an argument list, without a shell
    except OSError as error:
        link.sendall(FRAME.pack(REFUSED, error.errno or 0))
    finally:
        os._exit(_CANNOT_RUN)


def _stand_aside() -> None:
    """Leave the keys to the client, as a shell does while a job runs."""
    _forget_signals()
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)


def _forget_signals() -> None:
    """Handle every signal as a fresh process does; Python ignores some, and a program would inherit that."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except OSError:
            continue  # one that the C library keeps for itself
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _tell(link: socket.socket, client: int) -> None:
    while True:
        _, status = os.waitpid(client, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            break
        link.sendall(FRAME.pack(STOPPED, os.WSTOPSIG(status)))
        if not link.recv(1):
            return
        os.killpg(client, signal.SIGCONT)
    # Whoever the client left in the background must not be hung up on when its session's leader ends.
    os.tcsetpgrp(0, os.getpgrp())
    link.sendall(FRAME.pack(ENDED, status))

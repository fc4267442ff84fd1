"""Tells systemd how the process fares: the protocol of sd_notify(3), datagrams to the socket in $NOTIFY_SOCKET."""

import contextlib
import os
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass

SOCKET = "NOTIFY_SOCKET"
WATCHDOG_MICROSECONDS = "WATCHDOG_USEC"
WATCHDOG_PID = "WATCHDOG_PID"


@dataclass(frozen=True)
class Notifier:
    """Whom to tell; nobody where `address` is None.

    `watchdog` is how many seconds may pass between two signs of life, None where nobody waits for them.
    """

    address: str | None = None
    watchdog: float | None = None

    @classmethod
    def taken_from(cls, environ: MutableMapping[str, str]) -> "Notifier":
        """What systemd told this process. The variables are removed: they are not meant for its children."""
        address = environ.pop(SOCKET, None)
        microseconds = environ.pop(WATCHDOG_MICROSECONDS, "")
        meant_for = environ.pop(WATCHDOG_PID, None)
        watched = address is not None and microseconds.isdecimal() and meant_for in (None, str(os.getpid()))
        return cls(address, int(microseconds) / 1e6 if watched else None)

    def tell(self, *facts: str) -> None:
        """Send `facts`, such as `READY=1`; a manager that does not listen now is not waited for."""
        if self.address is None:
            return
        abstract = self.address.startswith("@")
        address = "\0" + self.address[1:] if abstract else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, contextlib.suppress(OSError):
            channel.settimeout(0)
            channel.sendto("\n".join(facts).encode(), address)

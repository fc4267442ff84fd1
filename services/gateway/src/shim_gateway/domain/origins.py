"""Who may come from where: the Host and Origin of a request, against DNS rebinding and foreign pages.

A rebound name makes Host and Origin agree, so neither is trusted because it matches the other: both are
held against a list.
"""

import re
from collections.abc import Iterable

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_HOST = re.compile(r"(?P<name>\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?")


class Origins:
    """The names under which the gateway answers."""

    def __init__(self, port: int, more_hosts: Iterable[str] = ()) -> None:
        self._hosts = frozenset((*_LOOPBACK, *(host.lower() for host in more_hosts)))
        self._pages = frozenset(f"{scheme}://{host}:{port}" for host in self._hosts for scheme in ("http", "https"))

    def takes_host(self, host: str) -> bool:
        """Whether this Host header names us."""
        match = _HOST.fullmatch(host.lower())
        return match is not None and match["name"] in self._hosts

    def takes_origin(self, origin: str) -> bool:
        """Whether a page of this origin may call us; `null` may not."""
        return origin.lower() in self._pages

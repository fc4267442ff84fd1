"""uvicorn's HTTP protocol with the guards it leaves out: slow or endless headers, and absolute targets."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0
"""Time in which the headers of a request have to arrive (a slow-loris client sends them byte by byte)."""
HEADER_BYTES = 64 * 1024
"""Bytes of headers above which a connection is closed; applications refuse less with an answer."""


class GuardedProtocol(HttpToolsProtocol):
    """Closes connections whose headers do not come to an end; answers 400 to targets that are no path."""

    _waiting: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for headers."""
        super().connection_made(transport)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before the headers are whole."""
        if self._waiting is not None:
            self._header_bytes += len(data)
            if self._header_bytes > HEADER_BYTES and b"\r\n\r\n" not in data:
                self.transport.close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Wait for the headers of the next request on this connection."""
        if self._waiting is None:
            self._wait_for_headers()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Headers are whole; refuse a target that names another server."""
        self._stop_waiting()
        if not self.url.startswith(b"/"):
            self.send_400_response("The target of a request is a path.")
            return
        super().on_headers_complete()

    def _wait_for_headers(self) -> None:
        self._header_bytes = 0
        self._waiting = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

"""uvicorn's HTTP protocol with the guards it leaves out: slow or endless requests, trailers, absolute targets."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 10.0
"""Time in which the headers of a request have to arrive (a slow-loris client sends them byte by byte)."""
BODY_SECONDS = 30.0
"""Time that may pass between two pieces of a body."""
HEADER_BYTES = 64 * 1024
"""Bytes of headers above which a connection is closed; applications refuse less with an answer."""


class GuardedProtocol(HttpToolsProtocol):
    """Closes connections whose requests do not come to an end; answers 400 to targets that are no path."""

    header_seconds = HEADER_SECONDS
    body_seconds = BODY_SECONDS
    _waiting: asyncio.TimerHandle | None = None
    _has_headers = False
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for headers."""
        super().connection_made(transport)
        self._wait(self.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before the headers are whole."""
        if not self._has_headers:
            self._header_bytes += len(data)
            if self._header_bytes > HEADER_BYTES and b"\r\n\r\n" not in data:
                self.transport.close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Wait for the headers of the next request on this connection."""
        self._has_headers = False
        self._header_bytes = 0
        if self._waiting is None:
            self._wait(self.header_seconds)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those behind a chunked body are left out, because nothing checks them any more."""
        if not self._has_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Headers are whole; refuse a target that names another server."""
        self._has_headers = True
        self._wait(self.body_seconds)
        if not self.url.startswith(b"/"):
            self.send_400_response("The target of a request is a path.")
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Wait for the next piece."""
        self._wait(self.body_seconds)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._stop_waiting()
        super().on_message_complete()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if self.flow.read_paused:  # the application is slow, not the client
            self._wait(self.body_seconds)
        elif not self.transport.is_closing():
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

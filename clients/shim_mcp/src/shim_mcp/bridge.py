"""Pass the messages of an MCP client on to SHIM's HTTP endpoint. Standard library only, silent but for messages.

usage: python -I -S -E shim_mcp_bridge.py PORT KEY_FILE     one JSON-RPC message a line, on standard input and output

A client waits for its servers before it starts to work. Importing the MCP SDK takes about a second, and a client that
speaks HTTP itself waits 30 s for a SHIM that hangs. This starts at once, answers for a SHIM that is away or silent, and
keeps the key out of the client's settings. It knows no tool and keeps no state but the session of revision 2025-11-25.
Every import adds to each start of a client, so there are no dataclasses, no typing and no http.client here.
"""

import binascii
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator

CONNECT_LIMIT = 0.3
"""Seconds; a listener on the same machine accepts within a millisecond."""

HANDSHAKE = frozenset({"server/discover", "initialize", "tools/list", "prompts/list", "resources/list"})
"""What clients ask while they start."""

HANDSHAKE_LIMIT = 0.4
"""Seconds of silence; with the start of this program a hanging SHIM delays a client by less than 0.5 s."""

HANDSHAKE_PAUSE = 1.0
"""Seconds after such a silence in which more of the handshake is refused at once.

A client whose `server/discover` fails tries `initialize` next, and must not wait twice.
"""

CALL_LIMIT = 5.0
"""Seconds of silence; SHIM itself ends a tool call after 3 s."""

LISTEN = "subscriptions/listen"
"""The request whose answer lasts as long as the session; it may be silent without limit once it has begun."""

DOWN = "SHIM is not running; start it with `shim up`"
SILENT = "SHIM did not answer in time"
UNREADABLE = "SHIM broke off or answered something else than MCP"
REFUSED_KEY = "SHIM refused the key; run `shim connect claude-code` again"

INTERNAL_ERROR = -32603
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, FIRST_ERROR = 401, 403, 404, 400

VERSION_FIELD = "io.modelcontextprotocol/protocolVersion"
"""What every request of revision 2026-07-28 says in its `_meta`, and no older one."""

NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Method -> the parameter that the header Mcp-Name repeats."""

INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}

_CHUNK = 64 * 1024

Message = dict[str, object]


class Refused(Exception):
    """SHIM did not do it. The text is for the person or the model."""


class Session:
    """What `initialize` agreed on (2025-11-25). `id` is absent where the server keeps no sessions."""

    def __init__(self, session_id: str | None, revision: str) -> None:
        self.id = session_id
        self.revision = revision


class Call:
    """A request of the client's, from when it is read to when it is answered."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.id = message["id"]
        self.method = message["method"]
        self.answered = False
        self.cancelled = False
        self.connection: socket.socket | None = None

    @property
    def limit(self) -> float:
        """Return the seconds of silence that the call is worth."""
        return HANDSHAKE_LIMIT if self.method in HANDSHAKE else CALL_LIMIT

    def cancel(self) -> None:
        """Close the connection: in revision 2026-07-28 that is what cancels a request."""
        self.cancelled = True
        if self.connection is not None:
            _shut(self.connection)


class Answer:
    """An HTTP answer, read as it comes. Reading raises OSError or ValueError."""

    def __init__(self, connection: socket.socket) -> None:
        self._file = connection.makefile("rb")
        self.status = int(self._line().split(b" ", 2)[1])
        self._fields: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.decode("latin-1").partition(":")
            self._fields[name.lower()] = value.strip()

    def field(self, name: str) -> str | None:
        """Return the header of this name, in lower case."""
        return self._fields.get(name)

    def messages(self) -> Iterator[Message]:
        """Yield the JSON-RPC messages of the body."""
        kind = (self.field("content-type") or "").lower()
        texts = iter([b"".join(self._pieces())]) if kind.startswith("application/json") else iter(())
        for text in self._events() if kind.startswith("text/event-stream") else texts:
            message = json.loads(text)
            if isinstance(message, dict):
                yield message

    def _events(self) -> Iterator[bytes]:
        """Yield the data of each server-sent event that has some."""
        data = b""
        for line in self._body_lines():
            name, _, value = line.partition(b":")
            if name == b"data":
                data += value
            elif not line and data.strip():
                yield data
                data = b""

    def _body_lines(self) -> Iterator[bytes]:
        rest = b""
        for piece in self._pieces():
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line.rstrip(b"\r") for line in lines)

    def _pieces(self) -> Iterator[bytes]:
        if (self.field("transfer-encoding") or "").lower() == "chunked":
            while size := int(self._line().split(b";")[0], 16):
                yield self._exactly(size)
                self._line()
        elif (length := self.field("content-length")) is not None:
            yield self._exactly(int(length))
        else:
            yield from iter(lambda: self._file.read1(_CHUNK), b"")

    def _line(self) -> bytes:
        line = self._file.readline(_CHUNK)
        if not line.endswith(b"\n"):
            raise ConnectionError("the answer breaks off")
        return line.rstrip(b"\r\n")

    def _exactly(self, size: int) -> bytes:
        piece = self._file.read(size)
        if len(piece) < size:
            raise ConnectionError("the answer breaks off")
        return piece


class Endpoint:
    """SHIM's MCP endpoint over HTTP. Every call has a connection of its own, so that a restart breaks none later."""

    def __init__(self, port: int, key_file: str, client_session: str, project: str) -> None:
        self._port = port
        self._key_file = key_file
        told = {"X-Shim-Client-Session": client_session, "X-Shim-Client-Project": _percent_encoded(project)}
        self._own = {name: value for name, value in told.items() if value}

    def connect(self) -> socket.socket:
        """Return a new connection. Raises OSError."""
        connection = socket.socket()
        connection.settimeout(CONNECT_LIMIT)
        try:
            connection.connect(("127.0.0.1", self._port))
        except OSError:
            connection.close()
            raise
        return connection

    def post(self, connection: socket.socket, message: Message, session: Session | None, limit: float) -> Answer:
        """Send a message; return the answer as soon as it begins. Raises OSError and ValueError."""
        connection.settimeout(limit)
        body = json.dumps(message).encode()
        headers = {
            "Host": f"127.0.0.1:{self._port}",
            "Connection": "close",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Accept": "application/json, text/event-stream",
            "Authorization": f"Bearer {self._key()}",
            **self._own,
            **_protocol_headers(message, session),
        }
        lines = ["POST /mcp/ HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        connection.sendall("\r\n".join(lines).encode("ascii") + body)
        return Answer(connection)

    def _key(self) -> str:
        """Return the key, read anew because SHIM may have made another."""
        with open(self._key_file, encoding="ascii") as file:  # noqa: PTH123 - importing pathlib costs too much
            return file.read(256).strip()


class Bridge:
    """Takes the client's messages and writes the answers, each as soon as it is there."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._calls: dict[object, Call] = {}
        self._hello: Message = {}
        self._session: Session | None = None
        self._opening = threading.Lock()
        self._writing = threading.Lock()
        self._silent_since = -HANDSHAKE_PAUSE

    def take(self, line: bytes) -> None:
        """Pass one line of the client's on; the answer to a request is written later."""
        try:
            message = json.loads(line)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        if "id" in message and "method" in message:
            call = Call(message)
            self._calls[call.id] = call
            threading.Thread(target=self._serve, args=(call,), daemon=True).start()
        else:
            self._tell(message)

    def _tell(self, message: Message) -> None:
        """Pass on what has no answer. It is done when the next message is read, because their order counts."""
        params = message.get("params")
        if message.get("method") == "notifications/cancelled" and isinstance(params, dict):
            call = self._calls.get(params.get("requestId"))
            if call is not None and _revision(call.message):
                call.cancel()
        # Revision 2026-07-28 has no such messages over HTTP.
        if self._session is None:
            return
        try:
            with self._endpoint.connect() as connection:
                self._endpoint.post(connection, message, self._session, HANDSHAKE_LIMIT)
        except (OSError, ValueError):
            return

    def _serve(self, call: Call) -> None:
        """See to it that a request is answered, whatever happens."""
        try:
            self._pass_on(call)
        except Refused as refused:
            self._refuse(call, str(refused))
        except TimeoutError:
            self._silent_since = time.monotonic()
            self._refuse(call, SILENT)
        except (ConnectionRefusedError, FileNotFoundError):  # SHIM makes the key at its first start
            self._refuse(call, DOWN)
        except Exception:  # noqa: BLE001 - the boundary of a thread; a request without an answer would hang the client
            self._refuse(call, UNREADABLE)
        finally:
            if self._calls.get(call.id) is call:
                del self._calls[call.id]

    def _pass_on(self, call: Call) -> None:
        if call.method in HANDSHAKE and time.monotonic() - self._silent_since < HANDSHAKE_PAUSE:
            raise Refused(SILENT)
        if call.method == "initialize":
            self._hello, self._session = call.message, None
        session = self._session
        if self._try(call, session):
            return
        self._open_again(session)
        if not self._try(call, self._session):
            raise Refused(UNREADABLE)

    def _try(self, call: Call, session: Session | None) -> bool:
        """Send the request and write the answer; return False if the server does not know the session any more."""
        with self._endpoint.connect() as connection:
            call.connection = connection
            if call.cancelled:
                return True
            answer = self._endpoint.post(connection, call.message, session, call.limit)
            if answer.status == NOT_FOUND and session is not None and not _revision(call.message):
                return False
            if call.method == LISTEN:
                connection.settimeout(None)
            self._write_all(call, answer)
        return True

    def _write_all(self, call: Call, answer: Answer) -> None:
        """Write messages until the one that answers the request."""
        for message in answer.messages():
            if "method" in message:
                self._write(message)
                continue
            if answer.status >= FIRST_ERROR and not isinstance(message.get("error"), dict):
                break
            if call.method == "initialize":
                self._session = _agreed(message, answer)
            call.answered = True
            self._write({**message, "id": call.id})  # an error found before the id was read has none
            return
        raise Refused(_reason(answer.status))

    def _open_again(self, lost: Session | None) -> None:
        """Shake hands as the client did, for a server that was restarted; of many calls one does it."""
        with self._opening:
            if self._session is not lost:
                return
            with self._endpoint.connect() as connection:
                answer = self._endpoint.post(connection, self._hello, None, HANDSHAKE_LIMIT)
                agreed = next((_agreed(message, answer) for message in answer.messages() if "result" in message), None)
            if agreed is None:
                raise Refused(_reason(answer.status))
            with self._endpoint.connect() as connection:
                self._endpoint.post(connection, {**INITIALIZED}, agreed, HANDSHAKE_LIMIT)
            self._session = agreed

    def _refuse(self, call: Call, reason: str) -> None:
        if not call.answered and not call.cancelled:
            self._write({"jsonrpc": "2.0", "id": call.id, "error": {"code": INTERNAL_ERROR, "message": reason}})

    def _write(self, message: Message) -> None:
        text = json.dumps(message).encode() + b"\n"
        with self._writing:
            try:
                while text:
                    text = text[os.write(1, text) :]
            except OSError:  # the client is gone
                os._exit(0)


def _protocol_headers(message: Message, session: Session | None) -> dict[str, str]:
    """Return what a message's revision wants repeated in headers."""
    if revision := _revision(message):
        method, params = str(message.get("method")), message.get("params")
        name = params.get(NAMED_BY.get(method)) if isinstance(params, dict) else None
        named = {"Mcp-Name": _header_value(name)} if isinstance(name, str) else {}
        return {"MCP-Protocol-Version": _header_value(revision), "Mcp-Method": _header_value(method), **named}
    if session is None:
        return {}
    known = {"Mcp-Session-Id": session.id} if session.id else {}
    return {"MCP-Protocol-Version": session.revision, **known}


def _revision(message: Message) -> str:
    """Return the revision that the message itself names; before 2026-07-28 none does."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    revision = meta.get(VERSION_FIELD) if isinstance(meta, dict) else None
    return revision if isinstance(revision, str) else ""


def _percent_encoded(text: str) -> str:
    """Return the text as a header can carry it; urllib would cost more to import than all the rest."""
    plain = range(33, 127)
    raw = text.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in plain and byte != ord("%") else f"%{byte:02X}" for byte in raw)


def _header_value(text: str) -> str:
    """Return the text as a header can carry it; the protocol says how to wrap what it cannot."""
    plain = text.isascii() and text.isprintable() and text == text.strip() and not text.startswith("=?base64?")
    return text if plain else f"=?base64?{binascii.b2a_base64(text.encode(), newline=False).decode()}?="


def _agreed(message: Message, answer: Answer) -> Session | None:
    result = message.get("result")
    revision = result.get("protocolVersion") if isinstance(result, dict) else None
    return Session(answer.field("mcp-session-id"), revision) if isinstance(revision, str) else None


def _reason(status: int) -> str:
    if status in (UNAUTHORIZED, FORBIDDEN):
        return REFUSED_KEY
    return f"SHIM cannot answer now (HTTP status {status})" if status >= FIRST_ERROR else UNREADABLE


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it is closed already
        return


def main(port: str, key_file: str) -> None:
    """Serve until the client closes its end."""
    client_session = os.environ.get("CLAUDE_CODE_SESSION_ID", "")
    project = os.environ.get("CLAUDE_PROJECT_DIR", "")
    bridge = Bridge(Endpoint(int(port), key_file, _header_value(client_session), project))
    for line in sys.stdin.buffer:
        bridge.take(line)


if __name__ == "__main__":
    # Clients show or log what a server writes there.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        main(*sys.argv[1:3])
    finally:
        os._exit(0)

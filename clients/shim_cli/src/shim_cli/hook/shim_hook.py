"""Hand one hook of Claude Code or Codex to SHIM and print the answer. Standard library only, silent whatever happens.

usage: python -I -S -E shim_hook.py PORT EVENT KEY_FILE [CLIENT_PID [CLIENT]]     payload on standard input

It always ends with success and prints nothing but SHIM's answer: what a hook prints or fails with is shown to the
person or becomes part of the conversation. Starting the interpreter is most of what a hook costs and every import
adds to it, so this uses the raw socket module and no other that is not loaded anyway.
"""

import _socket
import os
import sys
import time

CLAUDE_CODE = "claude-code"

LIMIT = 0.3
"""Seconds from connecting to the whole answer: as long as an assistant waits for a SHIM that hangs."""

HOLD_LIMITS = {"PreToolUse": 2.0}
"""Events that SHIM may hold until a checkpoint is acknowledged, and the seconds from connecting to the answer."""

MAX_PAYLOAD = 16 * 1024 * 1024
"""Bytes; the API takes no more."""

MAX_ANSWER = 256 * 1024
"""Bytes; SHIM's longest answer holds 10,000 characters."""

_CHUNK = 64 * 1024


def main(port: str, event: str, key_file: str, parent: str = "", client: str = CLAUDE_CODE) -> None:
    """Send the payload; print the answer if there is one."""
    payload = _read_all()
    with open(key_file, "rb") as file:  # noqa: PTH123 - importing pathlib costs more than all the rest
        key = file.read(256).strip()
    # Claude Code names itself since 2.1.214; for other clients the hook's shell knows its parent.
    pid = (client == CLAUDE_CODE and os.environ.get("CLAUDE_PID")) or parent
    lines = [
        f"POST /v1/hooks/{client}/{event} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(payload)}",
        *([f"X-Shim-Client-Pid: {pid}"] if pid.isdecimal() else []),
        "Authorization: Bearer ",
    ]
    request = "\r\n".join(lines).encode() + key + b"\r\n\r\n" + payload
    _print(_body(_exchange(int(port), request, HOLD_LIMITS.get(event, LIMIT))))


def _read_all() -> bytearray:
    """Read standard input by its number: it is a socket, which cannot be opened by name."""
    payload = bytearray()
    while chunk := os.read(0, _CHUNK):
        payload += chunk
        if len(payload) > MAX_PAYLOAD:
            raise ValueError("the payload is too large")
    return payload


def _exchange(port: int, request: bytes, limit: float) -> bytes:
    """Return what the server answers within the limit (seconds)."""
    end = time.monotonic() + limit
    server = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    server.settimeout(LIMIT)
    server.connect(("127.0.0.1", port))
    server.sendall(request)
    answer = b""
    while not _is_whole(answer):
        server.settimeout(max(end - time.monotonic(), 0.001))
        chunk = server.recv(_CHUNK)
        answer += chunk
        if not chunk or len(answer) > MAX_ANSWER or time.monotonic() > end:
            raise TimeoutError("no whole answer")
    return answer


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    return bool(end) and len(body) >= _length(head)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return 0


def _body(answer: bytes) -> bytes:
    """Return the body of SHIM's answer; of anything else, nothing: it would be put before the model."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1]
    is_json = b"\r\ncontent-type: application/json" in head.lower()
    return body if status == b"200" and is_json and body[:1] == b"{" and body[-1:] == b"}" else b""


def _print(text: bytes) -> None:
    while text:
        text = text[os.write(1, text) :]


if __name__ == "__main__":
    try:
        main(*sys.argv[1:6])
    finally:
        os._exit(0)

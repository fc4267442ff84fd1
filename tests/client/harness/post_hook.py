"""Post standard input to the URL given as the only argument, quickly and silently. Run with `python -I -S -E`.

The raw socket module is used because importing anything more costs more than the call itself.
"""

import _socket
import os
import sys

LIMIT = 0.3
"""Seconds for connecting and for each read: a client's start may wait for this."""


def main(url: str) -> None:
    """Send the payload and print the answer's body, if there is one."""
    host, _, path = url.removeprefix("http://").partition("/")
    address, _, port = host.partition(":")
    payload = b"".join(iter(lambda: os.read(0, 1 << 16), b""))
    head = (
        f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    server = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    server.settimeout(LIMIT)
    server.connect((address, int(port)))
    server.sendall(head.encode() + payload)
    answer = b"".join(iter(lambda: server.recv(1 << 16), b""))
    os.write(1, answer.partition(b"\r\n\r\n")[2])


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except OSError:
        sys.exit(0)

"""Whether the gateway's port is free, and who has it if not."""

import socket

import psutil

from shim_stack.errors import PortTaken


def require_free(host: str, port: int) -> None:
    """Raise PortTaken, naming the process where that can be known, unless `port` can be listened on."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            message = (
                f"{host}:{port} cannot be used ({error.strerror}){_owner(port)}. "
                f"Stop that, or choose another port: shim up --port {port + 1}"
            )
            raise PortTaken(message) from error


def _owner(port: int) -> str:
    try:
        listening = [
            connection
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid
        ]
        names = {f"{psutil.Process(one.pid).name()} (pid {one.pid})" for one in listening}
    except (psutil.AccessDenied, psutil.NoSuchProcess):  # macOS shows them to root alone
        return ""
    return f": {', '.join(sorted(names))} listens there" if names else ""

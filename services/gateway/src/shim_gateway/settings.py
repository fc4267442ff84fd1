"""Settings of the gateway."""

import ipaddress
from pathlib import Path

from pydantic import Field

from shim_common.kernel.errors import Forbidden
from shim_common.settings import DEFAULT_PORT, CommonSettings

SCHEMA = "gateway"
"""The Postgres schema of this service."""


class Settings(CommonSettings):
    """Where to listen, whom to ask, what to let in."""

    bind: str = f"127.0.0.1:{DEFAULT_PORT}"
    checkpointer_url: str = "http://127.0.0.1:7447"
    mcp_url: str = "http://127.0.0.1:7448"
    supervisor_url: str = "http://127.0.0.1:7449"
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    trusted_network: bool = Field(
        default=False,
        description="Plain HTTP beyond loopback: only where the network itself is private, as among containers.",
    )
    hosts: list[str] = Field(default_factory=list, description="Host names besides the loopback ones.")
    body_limit: int = Field(16 * 1024 * 1024, gt=0, description="Bytes.")

    @property
    def host(self) -> str:
        """The address to listen at."""
        return self.bind.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen at."""
        return int(self.bind.rpartition(":")[2])

    def check_exposure(self) -> None:
        """Refuse to be reachable from elsewhere without encryption.

        Raises:
            Forbidden: the address is not loopback, and there is neither TLS nor a declared trusted network.
        """
        if self.host == "localhost" or _is_loopback(self.host) or self.trusted_network:
            return
        if self.tls_certificate is None or self.tls_key is None:
            raise Forbidden(
                f"{self.host} can be reached from other machines: set SHIM_TLS_CERTIFICATE and SHIM_TLS_KEY, "
                "or bind 127.0.0.1",
                code="exposed",
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

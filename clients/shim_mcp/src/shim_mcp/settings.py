"""Settings of the MCP server, read from the environment (`SHIM_*`)."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shim_common.settings import DEFAULT_PORT, default_home

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


class Settings(BaseSettings):
    """Where SHIM is, which key is used, and where to listen."""

    model_config = SettingsConfigDict(env_prefix="SHIM_", env_ignore_empty=True, extra="ignore", frozen=True)

    url: str = Field(f"http://127.0.0.1:{DEFAULT_PORT}", description="The gateway.")
    home: Path = Field(default_factory=default_home)
    key_file: Path | None = Field(None, description="Over stdio: the key; `keys/agent.key` in the data folder.")
    mcp_url: str | None = Field(None, description="Where `serve` listens: unix:///path/mcp.sock or http://host:port.")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        LOOPBACK_NAMES,
        description="Names under which browsers and clients may address the HTTP transport, by commas.",
    )

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _by_commas(cls, value: object) -> object:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @property
    def key_path(self) -> Path:
        """The file with the key that the stdio server uses."""
        return self.key_file or self.home / "keys" / "agent.key"

"""The agent's settings, read from the environment (`SHIM_*`)."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shim_agent.snapshots.rules import Limits
from shim_common.settings import DEFAULT_PORT, default_home

MIB = 1024 * 1024


class AgentSettings(BaseSettings):
    """Where SHIM is, and the agent's parameters. Times are seconds, sizes bytes."""

    model_config = SettingsConfigDict(env_prefix="SHIM_", extra="ignore", frozen=True)

    home: Path = Field(default_factory=default_home, description="The user's data folder.")
    url: str = Field(f"http://127.0.0.1:{DEFAULT_PORT}", description="The gateway.")

    beat_seconds: float = Field(
        5.0, gt=0, description="Between heartbeats; the server takes 30 s of silence for a lapse."
    )
    rescan_seconds: float = Field(
        60.0, gt=0, description="Between looks at every file, in case a notification was lost."
    )
    poll_seconds: float = Field(
        2.0, gt=0, description="Between looks where the file system cannot notify, and at the connections."
    )
    snapshot_interval_seconds: float = Field(2.0, ge=0, description="Least time between two scans of a project.")
    snapshot_max_files: int = Field(20_000, gt=0, description="A tree with more is refused.")
    snapshot_max_bytes: int = Field(512 * MIB, gt=0, description="A tree with more is refused.")
    snapshot_max_file_bytes: int = Field(10 * MIB, gt=0, description="A larger file is left out.")
    retry_cap_seconds: float = Field(
        2.0, gt=0, description="Longest wait between tries while SHIM is away: it is back within seconds."
    )

    @property
    def key_file(self) -> Path:
        """The agent's key; the gateway makes it at its first start."""
        return self.home / "keys" / "agent.key"

    @property
    def snapshot_limits(self) -> Limits:
        """How large a project and its files may be."""
        return Limits(self.snapshot_max_files, self.snapshot_max_bytes, self.snapshot_max_file_bytes)

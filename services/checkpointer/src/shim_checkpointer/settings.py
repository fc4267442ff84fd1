"""Settings of the checkpointer."""

from pydantic import Field

from shim_common.settings import CommonSettings

SCHEMA = "checkpointer"
"""The Postgres schema of this service."""


class Settings(CommonSettings):
    """Where to listen, and the user's own values of parameters (`SHIM_PARAMETERS`, JSON)."""

    checkpointer_url: str = "http://127.0.0.1:7447"
    parameters: dict[str, float] = Field(default_factory=dict)
    risky_commands: list[str] = Field(default_factory=list, description="Patterns besides the built-in ones.")

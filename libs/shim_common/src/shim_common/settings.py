"""Settings that every process shares, read from the environment (`SHIM_*`, `DATABASE_URL`, `REDIS_URL`)."""

import os
import sys
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_PORT = 7446
"""The letters SHIM on a telephone's keys."""


def default_home() -> Path:
    """Return the user's data folder for SHIM, by the platform's convention."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "shim"
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "shim"


class CommonSettings(BaseSettings):
    """Where data, stores and sockets are."""

    model_config = SettingsConfigDict(env_prefix="SHIM_", extra="ignore", frozen=True, populate_by_name=True)

    home: Path = Field(default_factory=default_home)
    run_dir: Path | None = None
    database_url: Annotated[str, Field(validation_alias=AliasChoices("DATABASE_URL", "database_url"))]
    redis_url: Annotated[str, Field(validation_alias=AliasChoices("REDIS_URL", "redis_url"))]

    @property
    def keys_dir(self) -> Path:
        """The folder of key files, readable by the owner alone."""
        return self.home / "keys"

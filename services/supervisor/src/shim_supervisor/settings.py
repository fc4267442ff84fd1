"""Settings of the supervisor."""

from shim_common.settings import CommonSettings

SCHEMA = "supervisor"
"""The Postgres schema of this service."""


class Settings(CommonSettings):
    """Where to listen."""

    supervisor_url: str = "http://127.0.0.1:7449"

"""What the user may choose: port, stores, layout. From options, the environment, config.toml and the last run."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from shim_common.embedded.home import shim_home
from shim_common.settings import DEFAULT_PORT
from shim_stack.errors import BadConfiguration
from shim_stack.folder import DataFolder
from shim_stack.record import RunRecord

HOST = "127.0.0.1"
SPLIT = "SHIM_SPLIT"
BIND = "SHIM_BIND"


@dataclass(frozen=True)
class StackSettings:
    """One choice for everything. A store whose address is given is the user's own and is not started."""

    folder: DataFolder
    host: str = HOST
    port: int = DEFAULT_PORT
    split: bool = False
    database_url: str | None = None
    redis_url: str | None = None

    @property
    def url(self) -> str:
        """The gateway's address for clients on this machine."""
        return f"http://{self.host}:{self.port}"


def data_folder(environ: Mapping[str, str] = os.environ) -> DataFolder:
    """The data folder that the environment names."""
    return DataFolder(shim_home(environ))


def stack_settings(environ: Mapping[str, str], last: RunRecord) -> StackSettings:
    """The settings: SHIM_BIND, else the port in config.toml, else the port of the last run, else the default.

    Raises BadConfiguration.
    """
    folder = data_folder(environ)
    host, port = _bind(environ)
    return StackSettings(
        folder=folder,
        host=host or HOST,
        port=port or _configured_port(folder) or last.port or DEFAULT_PORT,
        split=environ.get(SPLIT) == "1",
        database_url=environ.get("DATABASE_URL") or None,
        redis_url=environ.get("REDIS_URL") or None,
    )


def _bind(environ: Mapping[str, str]) -> tuple[str, int | None]:
    host, _, port = environ.get(BIND, "").rpartition(":")
    return host, _valid_port(port, BIND) if port else None


def _configured_port(folder: DataFolder) -> int | None:
    try:
        values = tomllib.loads(folder.configuration.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"{folder.configuration} cannot be read: {error}.") from error
    return _valid_port(values["port"], str(folder.configuration)) if "port" in values else None


def _valid_port(value: object, source: str) -> int:
    try:
        port = int(str(value))
    except ValueError:
        port = 0
    if not 1 <= port <= 65535:
        raise BadConfiguration(f"The port in {source} is {value!r}; give a number from 1 to 65535.")
    return port

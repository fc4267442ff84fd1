"""Where SHIM keeps its data on this machine, and what the command needs from there: address and keys."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shim_cli.errors import NotRunning
from shim_common.embedded.home import shim_home
from shim_common.kernel import secrets
from shim_common.settings import DEFAULT_PORT

INGEST_KEY = "ingest.key"
AGENT_KEY = "agent.key"
ADMIN_KEY = "admin.key"


@dataclass(frozen=True)
class Home:
    """The data folder. Nothing in it needs to exist."""

    folder: Path
    environ: Mapping[str, str]

    @classmethod
    def here(cls, environ: Mapping[str, str] = os.environ) -> "Home":
        """Return the data folder that the environment names, else the platform's."""
        return cls(shim_home(environ), environ)

    @property
    def keys(self) -> Path:
        """The folder of key files."""
        return self.folder / "keys"

    @property
    def backups(self) -> Path:
        """The folder of the settings files that were changed, as they were before."""
        return self.folder / "backups" / "settings"

    @property
    def url(self) -> str:
        """The address of SHIM: `SHIM_URL`, else the port of the stack that runs or last ran, else the default."""
        return self.environ.get("SHIM_URL", "").rstrip("/") or f"http://127.0.0.1:{self._port()}"

    @property
    def key_file(self) -> Path:
        """The file with the key that this command speaks with: `SHIM_KEY_FILE`, else the administrator's."""
        return Path(self.environ.get("SHIM_KEY_FILE") or self.keys / ADMIN_KEY)

    def key(self) -> str:
        """Return the secret that this command speaks with.

        Raises:
            NotRunning: there is no key file, so SHIM never ran with this data folder.
        """
        return self.read_key(self.key_file)

    def ingest_key(self) -> str:
        """Return the secret that hooks speak with; it allows nothing but adding to sessions.

        Raises:
            NotRunning: as for `key`.
        """
        return self.read_key(self.keys / INGEST_KEY)

    def read_key(self, file: Path) -> str:
        """Return the secret in a key file.

        Raises:
            NotRunning: the file cannot be read.
            Forbidden: others can read it, or it holds no secret.
        """
        try:
            return secrets.read(file).decode("ascii").strip()
        except FileNotFoundError:
            raise NotRunning(
                f"there is no key at {file}; SHIM makes its keys at its first start: run `shim up`"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise NotRunning(f"the key at {file} cannot be read: {error}") from None

    def _port(self) -> int:
        try:
            run = json.loads((self.folder / "run.json").read_text("utf-8"))
            return int(run["port"])
        except (OSError, ValueError, KeyError, TypeError):
            return DEFAULT_PORT

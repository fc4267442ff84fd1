"""The program that Claude Code starts as its MCP server: it passes messages on to SHIM's HTTP endpoint."""

from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from shim_cli.connect import programs
from shim_cli.connect.settings_file import SERVER_MODULE, SERVER_SCRIPT
from shim_cli.errors import Refused
from shim_cli.home import AGENT_KEY, Home
from shim_common.contracts.base import JsonObject


@dataclass(frozen=True)
class Bridge:
    """An interpreter, the script, and what it needs to know.

    The server itself takes about a second to import, which Claude Code would wait for at each start.
    """

    python: Path
    script: Path
    port: int
    key_file: Path

    @classmethod
    def of(cls, home: Home, port: int) -> "Bridge":
        """Return the program for this data folder.

        Raises:
            Refused: it is not installed beside this command.
        """
        check_installed()
        return cls(programs.python(), programs.folder(home) / SERVER_SCRIPT, port, home.keys / AGENT_KEY)

    def install(self) -> None:
        """Put the script into the data folder."""
        programs.install(self.script, resources.files(SERVER_MODULE).joinpath("bridge.py").read_bytes())

    def registration(self) -> JsonObject:
        """Return how the client starts it."""
        arguments = ["-I", "-S", "-E", str(self.script), str(self.port), str(self.key_file)]
        return {"type": "stdio", "command": str(self.python), "args": arguments, "env": {}}


def check_installed() -> None:
    """Refuse if the MCP server is missing, of which the bridge is a part.

    Raises:
        Refused: it is not installed beside this command.
    """
    if find_spec(SERVER_MODULE) is None:
        raise Refused("the MCP server is not installed beside this command; install SHIM anew: make install")

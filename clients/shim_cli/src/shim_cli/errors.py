"""What can go wrong for someone at the command line, and the exit code that says so.

ShimError (shim_common)      1  it did not work; the message names the way out
├── ApiProblem               1  SHIM answered, and refused
├── NotRunning               3  nothing answers at SHIM's address
└── Refused                  2  the command as given would do harm or makes no sense

0 is success. 2 is also what a misspelt command or option gives.
"""

from typing import ClassVar

from shim_common.contracts.problems import Problem
from shim_common.kernel.errors import ShimError, Unavailable

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_RUNNING = 3


class ApiProblem(ShimError):
    """SHIM answered with a problem; `problem` is what it said."""

    def __init__(self, problem: Problem, *, retry_after: float | None = None) -> None:
        super().__init__(problem.detail, code=problem.code, retry_after=retry_after)
        self.problem = problem

    def __str__(self) -> str:
        fields = "; ".join(f"{error.pointer}: {error.detail}" for error in self.problem.errors)
        return f"{self.detail} ({fields})" if fields else self.detail


class NotRunning(Unavailable):
    """Nothing answers at SHIM's address."""

    code: ClassVar[str] = "not_running"


class Refused(ShimError):
    """The command as given would do harm or makes no sense."""

    status, code, title = 400, "refused", "Refused"


def exit_code(error: ShimError) -> int:
    """Return what the process exits with because of this error."""
    match error:
        case NotRunning():
            return EXIT_NOT_RUNNING
        case Refused():
            return EXIT_USAGE
        case _:
            return EXIT_FAILED

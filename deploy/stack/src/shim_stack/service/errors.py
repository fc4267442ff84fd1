"""What can keep SHIM from being a service. The messages say what to do.

StackError (shim_stack.errors)
├── NoServiceManager  this machine has none that SHIM can use
├── NotOurs           a file of the service's name was made by somebody else
└── ManagerFailed     systemctl or launchctl did not do what it was asked
"""

from typing import ClassVar

from shim_stack.errors import StackError


class NoServiceManager(StackError):
    """This machine has no service manager that SHIM can use."""

    code: ClassVar[str] = "no_service_manager"


class NotOurs(StackError):
    """A file of the service's name was made by somebody else."""

    code: ClassVar[str] = "not_ours"


class ManagerFailed(StackError):
    """systemctl or launchctl did not do what it was asked."""

    code: ClassVar[str] = "manager_failed"

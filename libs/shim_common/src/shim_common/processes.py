"""Which references mean one process."""

from shim_common.contracts.sessions import ProcessRef

SAME_CREATION_S = 1.0
"""Seconds by which creation times of one process may differ: the boot time they count from is known to the second."""


def is_same_process(one: ProcessRef, other: ProcessRef) -> bool:
    """Whether two references mean one process; a pid alone may have been given out again."""
    return one.pid == other.pid and abs(one.created - other.created) <= SAME_CREATION_S

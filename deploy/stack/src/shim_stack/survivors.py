"""What a killed runner left behind."""

from collections.abc import Callable

from shim_stack.record import ProcessRecord, RunRecord


def stop_survivors(record: RunRecord | None, on_stopped: Callable[[ProcessRecord], None] = lambda _: None) -> None:
    """Stop every process of `record` that still runs, the last started first, each as its kind is stopped.

    A process is known by its pid and its birth together, so nothing else is ever signalled.
    """
    for process in record.survivors if record else ():
        process.identity.stop(process.stop)
        on_stopped(process)

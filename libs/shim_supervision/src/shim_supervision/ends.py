"""What the end of a client's process was, from what was seen of it.

Measured with Claude Code 2.1.329: it exits with 0 when it is closed and on Ctrl-C, with 143 on SIGTERM and with 129 on
SIGHUP. Its record `sessions/<pid>.json` is taken away by an orderly end and left behind by SIGKILL. A `SessionEnd`
hook proves nothing: it fires for SIGTERM and for a closed terminal with the same reason as for a normal end.
"""

from signal import SIGINT

from shim_common.contracts.supervision import EndKind

_SHELLS_OFFSET = 128
"""Programs that catch a signal exit with this plus its number, as shells do."""
_LAST_SIGNAL = 64
"""Linux's last real-time signal; exit codes beyond it plus the offset are a program's own, such as 255."""


def classify(
    exit_code: int | None,
    signal: int | None,
    *,
    on_purpose: bool = False,
    usage_limit: bool = False,
    record_left: bool | None = None,
    turn_open: bool | None = None,
) -> EndKind:
    """Return what an end was.

    `on_purpose`: the person closed the client or had SHIM end it. `usage_limit`: the last thing that the client said
    is that a usage limit is reached. `record_left`: the client's own record of its process is still there.
    `turn_open`: no `Stop` came after the last prompt. None means unknown everywhere.
    """
    number = signal if signal is not None else _caught(exit_code)
    if on_purpose or exit_code == 0 or number == SIGINT:
        return EndKind.CLOSED
    if usage_limit:
        return EndKind.USAGE_LIMIT
    if number is not None:
        return EndKind.KILLED
    if exit_code is not None:
        return EndKind.FAILED
    return _unseen(record_left, turn_open)


def _caught(exit_code: int | None) -> int | None:
    if exit_code is None or not _SHELLS_OFFSET < exit_code <= _SHELLS_OFFSET + _LAST_SIGNAL:
        return None
    return exit_code - _SHELLS_OFFSET


def _unseen(record_left: bool | None, turn_open: bool | None) -> EndKind:
    """Of a process that is nobody's child here, neither code nor signal is known."""
    if record_left:
        return EndKind.KILLED
    if turn_open is False or (record_left is False and turn_open is None):
        return EndKind.CLOSED
    return EndKind.LOST

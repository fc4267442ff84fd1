"""How long to wait before a dead process is started again."""

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 5.0
STABLE_SECONDS = 30.0  # a process that ran this long did not die of how it was started


def next_delay(previous: float | None, uptime: float) -> float:
    """The wait in seconds after a process that ran `uptime` seconds; `previous` is the wait before that run.

    A tenth of a second at first, then twice the last up to five seconds, and again a tenth after a stable
    run.
    """
    if previous is None or uptime >= STABLE_SECONDS:
        return FIRST_SECONDS
    return min(previous * 2, LONGEST_SECONDS)

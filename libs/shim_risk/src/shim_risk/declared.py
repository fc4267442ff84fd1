"""Thresholds that are known before anything was learnt.

Claude Code keeps room for the answer (32,000 tokens up to 2.1.20, 20,000 from 2.1.22) and 13,000 more free of the
window that it compacts to: 155,000 and 167,000 of 200,000. Seen on 65 automatic compactions of clients up to
2.1.42, all on windows of 200,000. On larger windows the client may compact to a smaller one: users report
compactions at about 167,000, 367,000 and 467,000 of 1,000,000, which is the same reserve off 200,000, 400,000 and
500,000.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from shim_risk import versions
from shim_risk.thresholds import Candidate, ThresholdKey

STANDARD_WINDOW = 200_000
"""The window of every model that says nothing else."""

LARGE_WINDOW = 1_000_000
"""The window of models whose name ends in `[1m]`."""

OLD_RESERVE = 45_000
"""Room kept free up to `LAST_OLD`, at the standard window or above."""

RESERVE = 33_000
"""Room kept free from `FIRST_NEW` on, at the standard window or above."""

LAST_OLD = (2, 1, 20)
FIRST_NEW = (2, 1, 22)
LAST_MEASURED = (2, 1, 42)
"""Newest client whose compactions were measured."""

SMALLER_WINDOWS = (200_000, 400_000, 500_000)
"""Windows that clients are reported to compact to although the model's is larger."""

FULL_SHARE = 0.7
"""Belief that a client uses the whole of a window larger than the standard one."""

STANDARD_SHARE = 0.9
"""Belief that a window nobody told is the standard one."""

MEASURED_WEIGHT = 3.0
"""What a declared threshold is worth, in compactions, for clients up to `LAST_MEASURED`."""

ASSUMED_WEIGHT = 1.0
"""The same for newer and unknown clients."""


@dataclass(frozen=True, slots=True)
class DeclaredThresholds:
    """Candidates for any key. `windows` gives the window of models by the beginning of their names."""

    windows: Mapping[str, int] = field(
        default_factory=lambda: {"claude-opus-5-5": LARGE_WINDOW, "claude-sonnet-5-5": LARGE_WINDOW}
    )

    def candidates(self, key: ThresholdKey) -> tuple[Candidate, ...]:
        """Return the thresholds that are plausible for a key that nothing was learnt about."""
        window = self.window_of(key)
        if window is not None:
            return _of_window(window, key.client_version, 1.0)
        return _of_window(STANDARD_WINDOW, key.client_version, STANDARD_SHARE) + _of_window(
            LARGE_WINDOW, key.client_version, 1 - STANDARD_SHARE
        )

    def ladder(self, key: ThresholdKey) -> tuple[Candidate, ...]:
        """Return what is left once all of these were passed: the large window, and a window's very end."""
        window = self.window_of(key)
        end = window or LARGE_WINDOW
        last = Candidate(end - RESERVE, end, 1.0, "somewhere below the end of the window")
        return (last,) if window else (*_of_window(LARGE_WINDOW, key.client_version, 1.0), last)

    def window_of(self, key: ThresholdKey) -> int | None:
        """Return the window where it is told or follows from the model's name."""
        model = key.model or ""
        if key.window or not model.endswith("[1m]"):
            return key.window or next((size for name, size in self.windows.items() if model.startswith(name)), None)
        return LARGE_WINDOW


def _of_window(window: int, client_version: str | None, share: float) -> tuple[Candidate, ...]:
    if window <= STANDARD_WINDOW:
        return _of_version(window, client_version, share)
    smaller = [size for size in SMALLER_WINDOWS if size < window]
    each = (1 - FULL_SHARE) / len(smaller)
    found = _of_version(window, client_version, share * FULL_SHARE)
    for size in smaller:
        found += _of_version(size, client_version, share * each)
    return found


def _of_version(window: int, client_version: str | None, share: float) -> tuple[Candidate, ...]:
    version = versions.parse(client_version)
    weight = share * (MEASURED_WEIGHT if version and version <= LAST_MEASURED else ASSUMED_WEIGHT)
    old = _at(window, OLD_RESERVE, weight, "up to 2.1.20")
    new = _at(window, RESERVE, weight, "from 2.1.22 on")
    if version and version <= LAST_OLD:
        return (old,)
    if version and version >= FIRST_NEW:
        return (new,)
    return (replace(old, weight=weight / 2), replace(new, weight=weight / 2))


def _at(window: int, reserve: int, weight: float, clients: str) -> Candidate:
    """Windows below the standard one keep the same share free."""
    threshold = window - min(reserve, window * reserve / STANDARD_WINDOW)
    source = f"declared for clients {clients} that compact to a window of {window:,}"
    return Candidate(threshold, threshold, weight, source)

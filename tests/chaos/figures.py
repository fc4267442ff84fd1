"""What chaos measures: how often, how much was lost, and how long it took to be back."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from statistics import median


@dataclass(frozen=True)
class Back:
    """Seconds from a kill until SHIM was back: `writing` acknowledged, `events` told, `transcript` followed."""

    writing: float
    events: float
    transcript: float

    @property
    def whole(self) -> float:
        """Until all of it was back."""
        return max(self.writing, self.events, self.transcript)


@dataclass
class Figures:
    """Times by kind of kill, and counts."""

    back: dict[str, list[Back]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def lines(self) -> Iterator[str]:
        """A table, and the counts below it."""
        if self.back:
            yield f"{'killed':<16}{'times':>6}  seconds until back, median / longest: writing, events, transcripts"
        for kind, times in sorted(self.back.items()):
            columns = [
                _times([one.writing for one in times]),
                _times([one.events for one in times]),
                _times([one.transcript for one in times]),
            ]
            yield f"{kind:<16}{len(times):>6}  {'  '.join(columns)}"
        within = [one.whole for one in chain.from_iterable(self.back.values())]
        if within:
            yield f"whole within 5 s: {sum(one <= 5 for one in within)} of {len(within)}"
        for name, count in self.counts.items():
            yield f"{name}: {count}"


def _times(seconds: Sequence[float]) -> str:
    return f"{median(seconds):6.2f} / {max(seconds):5.2f}"

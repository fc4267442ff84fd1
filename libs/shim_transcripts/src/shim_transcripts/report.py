"""Counts what a reader made of the lines it was given."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from shim_transcripts.damage import Damage

DAMAGE_SAMPLES = 10

_MAX_NAMES = 256
_MAX_NAME = 64
_NONE = "(none)"
_OTHER = "(other)"


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What was made of the lines so far.

    | count | of |
    |---|---|
    | `entries` | entries that came out, by kind |
    | `skipped` | lines left out, by type |
    | `unknown` | lines of types that are not known by name, kept or not, by type |
    | `damaged` | lines that could not be read, by reason; `first_damages` says where |
    | `salvaged` | records found inside damaged lines |
    | `repaired` | characters and values replaced to make lines storable |
    | `duplicates` | lines whose key and text were seen before; left out |
    | `conflicts` | lines whose key was seen with other text; kept under a key of their own |
    """

    lines: int
    blank: int
    entries: Mapping[str, int]
    skipped: Mapping[str, int]
    unknown: Mapping[str, int]
    damaged: Mapping[str, int]
    repaired: int
    salvaged: int
    duplicates: int
    conflicts: int
    first_damages: tuple[Damage, ...]


@dataclass(slots=True)
class Tally:
    """The running counts behind a `ReadReport`."""

    lines: int = 0
    blank: int = 0
    repaired: int = 0
    salvaged: int = 0
    duplicates: int = 0
    conflicts: int = 0
    entries: Counter[str] = field(default_factory=Counter)
    _skipped: Counter[str] = field(default_factory=Counter)
    _unknown: Counter[str] = field(default_factory=Counter)
    _damaged: Counter[str] = field(default_factory=Counter)
    _first_damages: list[Damage] = field(default_factory=list)

    def skipped(self, line_type: str) -> None:
        """Count a line that was left out."""
        _bump(self._skipped, line_type)

    def unknown(self, line_type: str) -> None:
        """Count a line of a type that is not known."""
        _bump(self._unknown, line_type)

    def damaged(self, damage: Damage) -> None:
        """Count a line that could not be read."""
        self._damaged[damage.reason.value] += 1
        if len(self._first_damages) < DAMAGE_SAMPLES:
            self._first_damages.append(damage)

    def report(self) -> ReadReport:
        """Return the counts as they are now."""
        return ReadReport(
            lines=self.lines,
            blank=self.blank,
            entries=dict(self.entries),
            skipped=dict(self._skipped),
            unknown=dict(self._unknown),
            damaged=dict(self._damaged),
            repaired=self.repaired,
            salvaged=self.salvaged,
            duplicates=self.duplicates,
            conflicts=self.conflicts,
            first_damages=tuple(self._first_damages),
        )


def _bump(counter: Counter[str], name: str) -> None:
    """Count a name that comes from the file: whatever it holds, the counter stays small."""
    name = name[:_MAX_NAME] or _NONE
    counter[name if name in counter or len(counter) < _MAX_NAMES else _OTHER] += 1

"""What sessions teach: their growths and the evidence about their thresholds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from shim_risk.book import ThresholdBook
from shim_risk.declared import STANDARD_WINDOW, DeclaredThresholds
from shim_risk.evaluate.sessions import Segment, Session
from shim_risk.growth import Growth, is_growth
from shim_risk.prior import Prior
from shim_risk.session import SessionRisk
from shim_risk.thresholds import Candidate, Evidence, ThresholdKey


class NothingDeclared(DeclaredThresholds):
    """Knows no threshold: it may lie anywhere in the last third of the standard window."""

    def candidates(self, key: ThresholdKey) -> tuple[Candidate, ...]:
        """Return the same range for every key."""
        window = self.window_of(key) or STANDARD_WINDOW
        return (Candidate(window * 2 / 3, window, 1.0, "not known"),)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one session teaches."""

    growths: tuple[int, ...]
    evidence: tuple[tuple[ThresholdKey, Evidence], ...]


def lesson(session: Session) -> Lesson:
    """Go through a session as the model does, without forecasts."""
    state = SessionRisk()
    growths: list[int] = []
    evidence: list[tuple[ThresholdKey, Evidence]] = []
    for segment in session.segments:
        for call in segment.calls:
            before, state = state, state.after(call)
            grown = state.level - before.level
            if is_growth(grown, before.calls):
                growths.append(grown)
            if before.key != state.key and before.calls:
                evidence.append((before.key, before.evidence_of()))
        evidence.append((state.key, state.evidence_of(segment.compaction)))
        if segment.compaction is not None:
            state = state.after(segment.compaction)
    return Lesson(tuple(growths), tuple(evidence))


def book_of(lessons: Iterable[Lesson], declared: DeclaredThresholds | None = None) -> ThresholdBook:
    """Return the thresholds learnt from sessions, in their order."""
    book = ThresholdBook(declared=declared or DeclaredThresholds())
    for one in lessons:
        for key, evidence in one.evidence:
            book = book.observe(key, evidence)
    return book


def prior_of(lessons: Iterable[Lesson]) -> Prior:
    """Return the growth of these sessions, or the default where they have none."""
    growths = [growth for one in lessons for growth in one.growths]
    return Prior(Growth.fit(growths)) if growths else Prior.default()


def without_version(sessions: Iterable[Session], *, hide_model: bool = False) -> list[Session]:
    """Hide the client's version, and the model's name too if asked to."""
    return [
        replace(session, segments=tuple(_hidden(segment, hide_model=hide_model) for segment in session.segments))
        for session in sessions
    ]


def earlier(lessons: Sequence[Lesson], tested: int) -> list[Lesson]:
    """Return the lessons of sessions before the tested one; they are in order of time."""
    return list(lessons[:tested])


def others(lessons: Sequence[Lesson], tested: int) -> list[Lesson]:
    """Return all lessons but that of the tested session."""
    return [one for index, one in enumerate(lessons) if index != tested]


def _hidden(segment: Segment, *, hide_model: bool) -> Segment:
    calls = (replace(call, client_version=None, model=None if hide_model else call.model) for call in segment.calls)
    return replace(segment, calls=tuple(calls))

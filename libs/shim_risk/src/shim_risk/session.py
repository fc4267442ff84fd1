"""What the model remembers of a session, as plain data, and how an observation changes it."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from shim_risk.growth import Pace, is_growth
from shim_risk.observations import ApiCall, Compaction, Observation, Pending
from shim_risk.thresholds import Evidence, ThresholdKey

WHOLE = 0.9
"""A call that reads at least this share of what was there before goes on with the same conversation."""

MAX_TOKENS = 10**9
"""Counts are cut to this, so that no input can overflow anything."""


@dataclass(frozen=True, slots=True)
class SessionRisk:
    """All that is remembered of a session. Counts are tokens.

    `level` is context and output of the last call, `pending` what was appended since, `calls` how many there
    were since the start or the last compaction.
    """

    key: ThresholdKey = field(default_factory=ThresholdKey)
    evidence: Evidence = field(default_factory=Evidence)
    level: int = 0
    pending: int = 0
    calls: int = 0
    pace: Pace = field(default_factory=Pace)
    alarm: bool = False

    @property
    def context_tokens(self) -> int:
        """What the next call reads at least."""
        return self.level + self.pending

    def after(self, seen: Observation) -> "SessionRisk":
        """Return the state after an observation; the alarm is the model's business."""
        match seen:
            case ApiCall():
                return self._after_call(seen)
            case Pending():
                return replace(self, pending=_tokens(self.pending + _tokens(seen.tokens)))
            case Compaction():
                return self._after_compaction(seen)

    def evidence_of(self, compaction: Compaction | None = None) -> Evidence:
        """Return what the threshold book has to learn: at a compaction that follows, or at the session's end."""
        if compaction is None or not compaction.automatic or not compaction.pre_tokens:
            return Evidence(self.evidence.passed)
        return self.evidence.compacted(_tokens(compaction.pre_tokens))

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON data, below 2 KB."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "SessionRisk":
        """Read what `to_json` wrote. Raises ValueError for anything else."""
        try:
            parts = {
                "key": ThresholdKey(**data["key"]),
                "evidence": Evidence(**data["evidence"]),
                "pace": Pace(**data["pace"]),
            }
            return cls(**{**data, **parts})
        except (TypeError, KeyError) as error:
            raise ValueError("this is no session risk") from error

    def _after_call(self, call: ApiCall) -> "SessionRisk":
        key = ThresholdKey(
            call.model or self.key.model,
            call.window or self.key.window,
            call.client_version or self.key.client_version,
        )
        context = _tokens(call.context_tokens)
        level = _tokens(context + _tokens(call.output_tokens))
        grown = level - self.level
        evidence = self.evidence if key == self.key else Evidence()
        return SessionRisk(
            key=key,
            evidence=evidence.going_on(self.level) if context >= WHOLE * self.level else evidence,
            level=level,
            pending=_tokens(call.pending_tokens),
            calls=self.calls + 1,
            pace=self.pace.grown(grown) if is_growth(grown, self.calls) else self.pace,
            alarm=self.alarm,
        )

    def _after_compaction(self, compaction: Compaction) -> "SessionRisk":
        told = self.evidence_of(compaction)
        return SessionRisk(key=self.key, evidence=told if told.pre_tokens else self.evidence)


def _tokens(count: int) -> int:
    return min(max(count, 0), MAX_TOKENS)

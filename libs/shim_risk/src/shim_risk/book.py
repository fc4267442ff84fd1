"""What all sessions taught about thresholds, as plain data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shim_risk import versions
from shim_risk.declared import DeclaredThresholds
from shim_risk.findings import Finding, Findings, is_pinned, learn, open_finding, pinned
from shim_risk.thresholds import (
    UNKNOWN,
    Candidate,
    Evidence,
    ThresholdEstimate,
    ThresholdKey,
    above,
    beyond,
    narrowed,
    weighing,
)

BORROWED_WEIGHT = 3.0
"""What the threshold of a neighbouring version is worth, in compactions, where the version's own is not known."""

Json = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ThresholdBook:
    """Findings by key. Every change returns a new book."""

    findings: Mapping[ThresholdKey, Findings] = field(default_factory=dict)
    declared: DeclaredThresholds = field(default_factory=DeclaredThresholds)

    def observe(self, key: ThresholdKey, evidence: Evidence) -> "ThresholdBook":
        """Take in a compaction, or the end of a session that came to some count without one."""
        learnt = learn(self.findings.get(key, ()), evidence)
        return replace(self, findings={**self.findings, key: learnt})

    def estimate(self, key: ThresholdKey, evidence: Evidence = UNKNOWN) -> ThresholdEstimate:
        """Return the threshold of a key, given what its session told so far.

        It is learnt from the key's own compactions, or else declared and borrowed from neighbouring versions.
        """
        candidates = narrowed(self._candidates(key), evidence)
        if not candidates:
            candidates = above(self._ladder(key), evidence.passed) or (beyond(evidence.passed),)
        return ThresholdEstimate(candidates)

    def to_json(self) -> Json:
        """Return the findings as JSON data; what is declared belongs to the program."""
        return [
            {
                "model": key.model,
                "window": key.window,
                "client_version": key.client_version,
                "findings": [[one.low, one.high, one.compactions, one.weight] for one in findings],
            }
            for key, findings in self.findings.items()
        ]

    @classmethod
    def from_json(cls, data: Json, declared: DeclaredThresholds | None = None) -> "ThresholdBook":
        """Read what `to_json` wrote. Raises ValueError where fields are missing."""
        try:
            findings = {
                ThresholdKey(entry["model"], entry["window"], entry["client_version"]): tuple(
                    Finding(*numbers) for numbers in entry["findings"]
                )
                for entry in data
            }
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("this is no threshold book") from error
        return cls(findings, declared or DeclaredThresholds())

    def _candidates(self, key: ThresholdKey) -> tuple[Candidate, ...]:
        own = self.findings.get(key, ())
        learnt = pinned(own, self.declared.candidates(key), "this client version")
        higher = open_finding(own)
        if higher is None:
            return learnt or self._supposed(key)
        possible = above(self._supposed(key), higher.low) or above(self._ladder(key), higher.low)
        return learnt + weighing(possible, higher.weight)

    def _supposed(self, key: ThresholdKey) -> tuple[Candidate, ...]:
        return self.declared.candidates(key) + self._borrowed(key)

    def _ladder(self, key: ThresholdKey) -> tuple[Candidate, ...]:
        """Return everything that is thinkable, for what is thought likely was passed."""
        return self._supposed(key) + self.declared.ladder(key)

    def _borrowed(self, key: ThresholdKey) -> tuple[Candidate, ...]:
        """Take over what neighbours learnt: the nearest older and newer version, or all if it is not known."""
        found: tuple[Candidate, ...] = ()
        for neighbour in self._neighbours(key):
            version = neighbour.client_version or "of unknown version"
            own = self.declared.candidates(neighbour)
            learnt = pinned(self.findings[neighbour], own, f"client {version}")
            found += weighing(learnt, BORROWED_WEIGHT)
        return found

    def _neighbours(self, key: ThresholdKey) -> list[ThresholdKey]:
        window = self.declared.window_of(key)
        others = [
            other
            for other, findings in self.findings.items()
            if other != key and self.declared.window_of(other) == window and is_pinned(findings)
        ]
        version = versions.parse(key.client_version)
        if version is None:
            return _preferring_model(others, key.model)
        dated = {other: parsed for other in others if (parsed := versions.parse(other.client_version))}
        older = max((parsed for parsed in dated.values() if parsed <= version), default=None)
        newer = min((parsed for parsed in dated.values() if parsed > version), default=None)
        nearest = [
            _preferring_model([other for other, parsed in dated.items() if parsed == chosen], key.model)
            for chosen in (older, newer)
            if chosen is not None
        ]
        return [neighbour for group in nearest for neighbour in group[:1]]


def _preferring_model(keys: Iterable[ThresholdKey], model: str | None) -> list[ThresholdKey]:
    """Return the keys of the same model, or all if there is none."""
    everything = list(keys)
    return [key for key in everything if key.model == model] or everything

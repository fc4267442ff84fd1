"""What the sessions of one client taught about its threshold.

A session says "calls went on from `passed`" and perhaps "it compacted at `pre_tokens`", so the threshold lies
between. Sessions that agree narrow one finding down; one that disagrees opens another, and the rest fades.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shim_risk.thresholds import Candidate, Evidence

FORGETTING = 0.7
"""What is left of a finding's weight after the next one: a changed setting is believed after two compactions."""

MAX_FINDINGS = 6
"""Findings kept; the weakest goes first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A threshold above `low` and at most `high` tokens; `high` is None if it was never seen to be reached.

    `compactions` fit it. `weight` counts the sessions for it, fading.
    """

    low: float
    high: float | None
    compactions: int
    weight: float

    def allows(self, low: float, high: float) -> bool:
        """Tell whether a threshold above `low` and at most `high` fits."""
        return self.low < high and (self.high is None or low < self.high)

    def faded(self) -> "Finding":
        """Return it with less weight."""
        return replace(self, weight=self.weight * FORGETTING)

    def confirmed(self, low: float, high: float) -> "Finding":
        """Narrow it down by a compaction that it allows."""
        return Finding(
            low=max(self.low, low),
            high=high if self.high is None else min(self.high, high),
            compactions=self.compactions + 1,
            weight=self.weight * FORGETTING + 1 if self.compactions else 1.0,
        )


Findings = tuple[Finding, ...]


def learn(known: Findings, evidence: Evidence) -> Findings:
    """Take in what a session tells; the strongest finding comes first."""
    passed, pre_tokens = evidence.passed, evidence.pre_tokens
    if pre_tokens is None:
        learnt = _passed(known, float(passed))
    else:
        lowest = Evidence(passed).compacted(pre_tokens).passed
        learnt = _compacted(known, float(lowest), float(pre_tokens))
    return tuple(sorted(learnt, key=lambda finding: -finding.weight)[:MAX_FINDINGS])


def open_finding(findings: Findings) -> Finding | None:
    """Return the finding of sessions that went on above every compaction that is known."""
    return next((finding for finding in findings if finding.high is None), None)


def is_pinned(findings: Findings) -> bool:
    """Tell whether any compaction is known."""
    return any(finding.high is not None for finding in findings)


def pinned(findings: Findings, declared: Iterable[Candidate], owner: str) -> tuple[Candidate, ...]:
    """Return the ranges that compactions pinned; a declared threshold that lies inside stands for its range."""
    references = [reference.middle for reference in declared]
    return tuple(
        _candidate(finding, finding.high, references, owner) for finding in findings if finding.high is not None
    )


def _candidate(finding: Finding, high: float, references: Iterable[float], owner: str) -> Candidate:
    count = f"{finding.compactions} compaction" + ("" if finding.compactions == 1 else "s")
    source = f"learnt from {count} of {owner}"
    inside = [reference for reference in references if finding.low < reference <= high]
    low, high = (inside[0], inside[0]) if inside else (finding.low, high)
    return Candidate(low, high, finding.weight, source)


def _compacted(known: Findings, low: float, high: float) -> list[Finding]:
    agreeing = [finding for finding in known if finding.allows(low, high)]
    if not agreeing:
        return [*(finding.faded() for finding in known), Finding(low, high, 1, 1.0)]
    best = max(agreeing, key=lambda finding: (finding.high is not None, finding.weight))
    rest = (finding for finding in known if finding is not best)
    return [best.confirmed(low, high), *(one if one in agreeing else one.faded() for one in rest)]


def _passed(known: Findings, passed: float) -> list[Finding]:
    """A count that went by without a compaction speaks against the findings below it."""
    disproved = [finding for finding in known if finding.high is not None and finding.high <= passed]
    surviving = [finding for finding in known if finding not in disproved]
    faded = [finding.faded() for finding in disproved]
    if not surviving:
        return [*faded, Finding(passed, None, 0, 1.0)]
    best = max(surviving, key=lambda finding: finding.weight)
    weight = best.weight * FORGETTING + 1 if disproved else best.weight
    raised = replace(best, low=max(best.low, passed), weight=weight)
    return [raised, *(finding for finding in surviving if finding is not best), *faded]

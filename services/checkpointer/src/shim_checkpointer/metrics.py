"""Every custom metric of the checkpointer, declared once."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram

from shim_common.contracts.envelope import Event
from shim_common.contracts.sessions import Trigger

_STOPS = ("interrupted", "ended")


class Metrics:
    """The figures; all label sets exist at 0 from the start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.entries = Counter("shim_entries", "Entries stored.", registry=registry)
        self.duplicates = Counter("shim_entries_duplicate", "Entries recognised as stored.", registry=registry)
        self.checkpoints = Counter("shim_checkpoints", "Checkpoints made.", ["trigger"], registry=registry)
        self.sessions = Counter("shim_sessions", "What became of sessions.", ["event"], registry=registry)
        self.unkept = Counter(
            "shim_sessions_interrupted_without_checkpoint",
            "Interruptions that made no checkpoint: always 0.",
            registry=registry,
        )
        self.signals = Counter("shim_signals_raised", "Signals raised.", registry=registry)
        self.append_seconds = Histogram(
            "shim_append_seconds",
            "Time to append entries, with everything that follows from them.",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
            registry=registry,
        )
        for trigger in Trigger:
            self.checkpoints.labels(trigger.value)
        for event in ("started", "resumed", "compacted", *_STOPS):
            self.sessions.labels(event)

    def count(self, events: Sequence[Event]) -> None:
        """Count events that were committed together."""
        self.unkept.inc(len(_subjects(events, "session.interrupted") - _subjects(events, "checkpoint.created")))
        for event in events:
            noun, _, verb = event.type.partition(".")
            if event.type == "checkpoint.created":
                self.checkpoints.labels(event.data["trigger"]).inc()
            elif event.type == "signal.raised":
                self.signals.inc()
            elif noun == "session":
                self.sessions.labels(verb).inc()


def _subjects(events: Sequence[Event], kind: str) -> set[str | None]:
    """The sessions that events of a kind are about."""
    return {event.session_id for event in events if event.type == kind}

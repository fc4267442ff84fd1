"""Every custom metric of the supervisor, declared once."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram

from shim_common.contracts.envelope import Event
from shim_common.contracts.supervision import AttemptOutcome, EndKind, IncidentState

_INCIDENT_EVENTS = ("opened", "escalated", "resolved")


class Metrics:
    """The figures; all label sets exist at 0 from the start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.exits = Counter("shim_process_exits", "Ends of watched processes.", ["kind"], registry=registry)
        self.incidents = Counter("shim_incidents", "What became of incidents.", ["event"], registry=registry)
        self.attempts = Counter("shim_restarts_attempted", "Tries to start again.", ["outcome"], registry=registry)
        self.suppressed = Counter("shim_restarts_suppressed", "Restarts held back.", registry=registry)
        self.requested = Counter("shim_restarts_requested", "Restarts that a person asked for.", registry=registry)
        self.recovery_seconds = Histogram(
            "shim_recovery_seconds",
            "From an end that was not meant until the session ran again.",
            buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60, 600, 3600, 86_400),
            registry=registry,
        )
        for kind in EndKind:
            self.exits.labels(kind.value)
        for name in _INCIDENT_EVENTS:
            self.incidents.labels(name)
        for outcome in AttemptOutcome:
            self.attempts.labels(outcome.value)

    def count(self, events: Sequence[Event]) -> None:
        """Count events that were committed together."""
        for event in events:
            noun, _, verb = event.type.partition(".")
            if event.type == "process.exited":
                self.exits.labels(event.data["kind"]).inc()
            elif event.type == "restart.attempted":
                self.attempts.labels(event.data["outcome"]).inc()
            elif event.type == "restart.suppressed":
                self.suppressed.inc()
            elif event.type == "restart.requested":
                self.requested.inc()
            elif noun == "incident":
                self._count_incident(verb, event)

    def _count_incident(self, verb: str, event: Event) -> None:
        self.incidents.labels(verb).inc()
        if verb == "resolved" and event.data["state"] == IncidentState.RESUMED:
            self.recovery_seconds.observe(event.data["seconds"])

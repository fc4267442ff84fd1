"""Every custom metric of the gateway, declared once."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REFUSALS = ("host", "origin", "headers", "body", "media_type", "encoding", "key", "too_many_failures")


class Metrics:
    """The figures; all label sets exist at 0 from the start."""

    def __init__(self, registry: CollectorRegistry, services: Iterable[str]) -> None:
        self.refused = Counter("shim_requests_refused", "Requests turned away at the door.", ["why"], registry=registry)
        self.passed_on = Counter(
            "shim_requests_passed_on", "Requests passed on.", ["service", "status"], registry=registry
        )
        self.service_seconds = Histogram(
            "shim_service_seconds", "Time until a service began to answer.", ["service"], registry=registry
        )
        self.listeners = Gauge("shim_event_listeners", "Open event streams.", registry=registry)
        self.lagged = Counter(
            "shim_event_listeners_lagged", "Streams closed for reading too slowly.", registry=registry
        )
        for why in REFUSALS:
            self.refused.labels(why)
        for service in services:
            self.service_seconds.labels(service)
            for status in ("2xx", "3xx", "4xx", "5xx"):
                self.passed_on.labels(service, status)

"""The figures of a running service, as Prometheus reads them through the gateway."""

from collections.abc import Iterator, Mapping

import httpx
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from shim_checkpointer.metrics import Metrics as CheckpointerMetrics
from shim_gateway.metrics import Metrics as GatewayMetrics
from shim_supervisor.metrics import Metrics as SupervisorMetrics

from ..stack.rig.stack import Stack

Sample = tuple[str, frozenset[tuple[str, str]]]
Figures = Mapping[Sample, float]

PATHS = {
    "gateway": "/metrics",
    "checkpointer": "/metrics/checkpointer",
    "supervisor": "/metrics/supervisor",
}


def scraped(stack: Stack, service: str) -> Figures:
    """What a service says now."""
    headers = {"Authorization": f"Bearer {stack.key('agent')}"}
    answer = httpx.get(stack.url + PATHS[service], headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return _parsed(answer.text)


def declared(service: str) -> Figures:
    """What a service declares, at its start."""
    registry = CollectorRegistry()
    if service == "gateway":
        GatewayMetrics(registry, ("checkpointer", "supervisor", "mcp"))
    elif service == "checkpointer":
        CheckpointerMetrics(registry)
    else:
        SupervisorMetrics(registry)
    return _parsed(generate_latest(registry).decode())


def value(figures: Figures, name: str, **labels: str) -> float:
    """One figure; all of its label sets together where labels are left out."""
    return sum(number for (found, given), number in figures.items() if found == name and labels.items() <= given)


def label_values(figures: Figures, label: str) -> set[str]:
    """Every value that a label has."""
    return {value for _, given in figures for name, value in given if name == label}


def _parsed(text: str) -> Figures:
    return dict(_samples(text))


def _samples(text: str) -> Iterator[tuple[Sample, float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                yield (sample.name, frozenset(sample.labels.items())), sample.value

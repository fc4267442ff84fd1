"""One registry per application: several applications in one process must not share or lose figures."""

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.responses import Response


def instrument(app: FastAPI, registry: CollectorRegistry) -> None:
    """Measure rate, errors and duration of every route, labelled by its template."""
    Instrumentator(
        should_group_status_codes=False,
        should_ignore_untemplated=True,
        excluded_handlers=["/healthz", "/readyz", "/metrics"],
        registry=registry,
    ).instrument(app)


def exposition(registry: CollectorRegistry) -> Response:
    """Return the figures as Prometheus reads them."""
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

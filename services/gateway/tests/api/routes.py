"""Every route there is, read from the OpenAPI document, with example values in its path."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shim_common.contracts.base import JsonObject

EXAMPLES = {
    "sid": "ses_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d",
    "checkpoint_id": "ckp_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d",
    "snapshot_id": "snp_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d",
    "key_id": "key_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d",
    "sha256": "9f86d081884c7d65" * 4,
    "client": "claude-code",
    "event": "Stop",
    "watch_id": "wch_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d",
    "incident_id": "inc_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d",
    "name": "night",
}
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Route:
    """A method and a template of paths."""

    method: str
    template: str

    @property
    def path(self) -> str:
        """A path of the template."""
        return re.sub(r"\{(\w+)\}", lambda name: EXAMPLES[name[1]], self.template)

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.method.upper()} {self.template}"

    @property
    def has_body(self) -> bool:
        """Whether requests carry one."""
        return self.method in ("post", "put", "patch")


UNDOCUMENTED = (
    Route("get", "/metrics"),
    Route("get", "/metrics/checkpointer"),
    Route("get", "/metrics/supervisor"),
    Route("get", "/openapi.json"),
    Route("post", "/mcp/"),
)
"""What there is besides the document."""
OPEN = (Route("get", "/healthz"), Route("get", "/readyz"))


def documented_routes(document: JsonObject) -> Iterator[Route]:
    """Yield the routes in an OpenAPI document."""
    for template, methods in document["paths"].items():
        yield from (Route(method, template) for method in METHODS if method in methods)

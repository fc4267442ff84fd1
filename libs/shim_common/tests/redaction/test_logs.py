"""The structlog processor."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import structlog

from shim_common.redaction.logs import redact_event

_SECRET = "hunter2!" + "Zq8" * 5
_URL = f"postgres://bob:{_SECRET}@db/shop"


class Connection:
    """An object that shows its secret when it is printed."""

    def __repr__(self) -> str:
        return f"<Connection {_URL}>"


def logged(**event: Any) -> dict[str, Any]:
    out = io.StringIO()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[structlog.processors.format_exc_info, redact_event, structlog.processors.JSONRenderer()],
    )
    logger.info("connected", **event)
    assert _SECRET not in out.getvalue()
    line: dict[str, Any] = json.loads(out.getvalue())
    return line


def test_values_are_redacted_wherever_they_stand() -> None:
    line = logged(
        url=_URL,
        password=_SECRET,
        nested={"env": [{"name": "DB_PASSWORD", "value": _SECRET}], "pair": ("a", _URL)},
        raw=_URL.encode(),
        connection=Connection(),
        error=ValueError(_URL),
        names={_URL},
    )
    assert line["url"].startswith("postgres://bob:[redacted:url-password:")
    assert line["password"].startswith("[redacted:assigned-secret:")
    assert line["nested"]["pair"][0] == "a"
    assert line["connection"].startswith("<Connection postgres://bob:[redacted:")


def test_what_holds_no_secret_is_logged_as_before() -> None:
    line = logged(count=3, ratio=0.5, ok=True, nothing=None, tags=["a", "b"], at=datetime(2026, 1, 2, tzinfo=UTC))
    assert line == {
        "event": "connected",
        "count": 3,
        "ratio": 0.5,
        "ok": True,
        "nothing": None,
        "tags": ["a", "b"],
        "at": "datetime.datetime(2026, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)",
    }


def test_tracebacks_are_redacted() -> None:
    try:
        raise ConnectionError(_URL)
    except ConnectionError:
        line = logged(exc_info=True)
    assert "ConnectionError: postgres://bob:[redacted:url-password:" in line["exception"]


def test_an_event_that_holds_itself_is_logged() -> None:
    loop: dict[str, Any] = {"url": _URL}
    loop["self"] = loop
    assert logged(loop=loop)["loop"]["url"].startswith("postgres://bob:[redacted:")

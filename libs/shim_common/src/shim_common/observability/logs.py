"""Structured logs on standard error, one JSON object a line; secrets are taken out of every value.

What libraries say through the standard library's logging, warnings and worse, comes out the same way.
"""

import contextlib
import logging
import sys
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from shim_common.redaction.logs import redact_event


def configure(service: str, level: int = logging.INFO) -> None:
    """Set logging up for this process. Text of prompts and code is never passed to a logger."""

    def name_service(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**event, "service": service}

    begin: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        name_service,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    end: list[Processor] = [structlog.processors.format_exc_info, redact_event, structlog.processors.JSONRenderer()]
    output = cast("TextIO", _StandardError())
    structlog.configure(
        processors=[*begin, *end],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(output),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *begin],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *end],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


class _StandardError:
    """Standard error as far as it takes anything: a full disk must not stop the work that is logged."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()

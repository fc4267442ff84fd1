"""The runner's own log: plain lines with the time in UTC."""

import logging
import time
from typing import TextIO


def log_to(stream: TextIO) -> None:
    """Write this process's log to `stream`."""
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])

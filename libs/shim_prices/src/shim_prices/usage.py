"""The tokens of one request, by what they are priced at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request; `input` are those that no cache was read or written for.

    `fast` says that the request ran in the fast mode, which has prices of its own.
    """

    input: int = 0
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    fast: bool = False

    @property
    def prompt(self) -> int:
        """Tokens that the model read: what length tiers go by."""
        return self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read

    @property
    def total(self) -> int:
        """Tokens of every kind."""
        return self.prompt + self.output

    @classmethod
    def of(cls, usage: Mapping[str, Any]) -> "Usage":
        """Read the `usage` object of the Messages API; missing and malformed counts are 0.

        Cache writes that the object does not split are taken as those of five minutes, the API's default.
        """
        split = usage.get("cache_creation")
        one_hour = _count(split, "ephemeral_1h_input_tokens")
        five_minutes = _count(split, "ephemeral_5m_input_tokens")
        return cls(
            input=_count(usage, "input_tokens"),
            output=_count(usage, "output_tokens"),
            cache_write_5m=max(five_minutes, _count(usage, "cache_creation_input_tokens") - one_hour),
            cache_write_1h=one_hour,
            cache_read=_count(usage, "cache_read_input_tokens"),
            fast=usage.get("speed") == "fast",
        )


def _count(mapping: object, name: str) -> int:
    value = mapping.get(name) if isinstance(mapping, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0

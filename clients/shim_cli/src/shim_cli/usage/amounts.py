"""Requests added up: tokens of every kind, and what they cost."""

from dataclasses import dataclass
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from shim_prices import Usage

DECIMALS = 6
"""Of a dollar: a hundred cached tokens of the cheapest model are still seen."""


class Amount(BaseModel):
    """Requests, their tokens, and their cost in US dollars.

    `cost` is of the requests that have a known price, and None where none has; `unpriced` counts the others.
    """

    model_config = ConfigDict(frozen=True)

    requests: int
    input: int
    output: int
    cache_write_5m: int
    cache_write_1h: int
    cache_read: int
    cost: float | None
    unpriced: int

    @property
    def tokens(self) -> int:
        """Tokens of every kind."""
        return self.input + self.output + self.cache_write_5m + self.cache_write_1h + self.cache_read


@dataclass(slots=True)
class Sum:
    """An amount that grows."""

    requests: int = 0
    input: int = 0
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    cost: Decimal = Decimal(0)
    unpriced: int = 0

    def add(self, usage: Usage, cost: Decimal | None) -> None:
        """Add a request and its cost, None if that is unknown."""
        self.requests += 1
        self.input += usage.input
        self.output += usage.output
        self.cache_write_5m += usage.cache_write_5m
        self.cache_write_1h += usage.cache_write_1h
        self.cache_read += usage.cache_read
        if cost is None:
            self.unpriced += 1
        else:
            self.cost += cost

    def amount(self) -> Amount:
        """Return the sum as data; of no requests it costs nothing."""
        unknown = self.requests > 0 and self.unpriced == self.requests
        return Amount(
            requests=self.requests,
            input=self.input,
            output=self.output,
            cache_write_5m=self.cache_write_5m,
            cache_write_1h=self.cache_write_1h,
            cache_read=self.cache_read,
            cost=None if unknown else round(float(self.cost), DECIMALS),
            unpriced=self.unpriced,
        )

"""A model's price during one period, and what a request costs at it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shim_prices.usage import Usage

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens of each kind."""

    input: Decimal
    output: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal

    def cost(self, usage: Usage) -> Decimal:
        """Return what these tokens cost, in US dollars, unrounded."""
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_write_5m * self.cache_write_5m
            + usage.cache_write_1h * self.cache_write_1h
            + usage.cache_read * self.cache_read
        ) / MILLION


@dataclass(frozen=True, slots=True)
class Tier:
    """The rates of every token of a request whose prompt is longer than `over` tokens."""

    over: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Price:
    """A model's price from the day `since` (UTC) on; None is from its launch on.

    `source` says where it was read, `doubt` what about it is not certain, or None. `tiers` go from short to long.
    """

    since: date | None
    rates: Rates
    tiers: tuple[Tier, ...]
    fast: Rates | None
    source: str
    doubt: str | None

    def rates_for(self, usage: Usage) -> Rates | None:
        """Return the rates of a request. None if it ran in a fast mode that has no known price."""
        if usage.fast:
            return self.fast
        longer = [tier.rates for tier in self.tiers if usage.prompt > tier.over]
        return longer[-1] if longer else self.rates

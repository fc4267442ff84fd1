"""The price catalogue: which models it knows, and what their requests cost on a given day."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Any

from shim_prices.errors import BadCatalogue, UnknownModel, UnknownRate
from shim_prices.price import Price, Rates, Tier
from shim_prices.usage import Usage

DATA_FILE = "prices.toml"

_VARIANT = re.compile(r"(?:-latest|[-@]\d{8})?(?:\[1m\])?$")
"""What may follow a model's name without changing its price: a release date, and the size of the window."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The prices of each model by name, oldest first."""

    prices: Mapping[str, tuple[Price, ...]]

    @classmethod
    def shipped(cls) -> "Catalogue":
        """Return the catalogue that comes with this package; it is read once."""
        return _shipped()

    @classmethod
    def parse(cls, text: str) -> "Catalogue":
        """Read a data file.

        Raises:
            BadCatalogue: it is not TOML, a rate is missing or negative, or a name stands twice.
        """
        prices: dict[str, tuple[Price, ...]] = {}
        try:
            for model in tomllib.loads(text, parse_float=Decimal)["model"]:
                history = tuple(_price(entry) for entry in model["price"])
                _check_order(history)
                for name in model["names"]:
                    if name in prices:
                        raise ValueError(f"{name} stands twice")
                    prices[name] = history
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadCatalogue(f"this is no price catalogue: {error}") from error
        return cls(prices)

    def price(self, model: str, at: datetime) -> Price:
        """Return a model's price at an aware time; the first one also holds before it began.

        Raises:
            UnknownModel: there is none.
        """
        history = self.prices.get(canonical(model))
        if history is None:
            raise UnknownModel(model)
        day = at.astimezone(UTC).date()
        begun = [price for price in history if price.since is None or price.since <= day]
        return begun[-1] if begun else history[0]

    def cost(self, model: str, usage: Usage, at: datetime) -> Decimal:
        """Return what a request cost at an aware time, in US dollars, unrounded.

        Raises:
            UnknownModel: there is no price for the model.
            UnknownRate: there is none for its fast mode.
        """
        rates = self.price(model, at).rates_for(usage)
        if rates is None:
            raise UnknownRate(model)
        return rates.cost(usage)


def cost(model: str, usage: Usage, at: datetime) -> Decimal:
    """Return what a request cost by the shipped catalogue; see `Catalogue.cost`."""
    return Catalogue.shipped().cost(model, usage, at)


def canonical(model: str) -> str:
    """Return the name that a model is priced under: without release date and size of the window."""
    return _VARIANT.sub("", model, count=1)


@lru_cache(maxsize=1)
def _shipped() -> Catalogue:
    return Catalogue.parse((resources.files("shim_prices") / DATA_FILE).read_text("utf-8"))


def _price(entry: Mapping[str, Any]) -> Price:
    since = entry.get("since")
    if since is not None and type(since) is not date:
        raise ValueError(f"{since!r} is no date")
    tiers = [Tier(int(tier["over"]), _rates(tier)) for tier in entry.get("tiers", [])]
    return Price(
        since=since,
        rates=_rates(entry),
        tiers=tuple(sorted(tiers, key=lambda tier: tier.over)),
        fast=_rates(entry["fast"]) if "fast" in entry else None,
        source=str(entry["source"]),
        doubt=entry.get("doubt"),
    )


def _rates(entry: Mapping[str, Any]) -> Rates:
    return Rates(
        input=_rate(entry["input"]),
        output=_rate(entry["output"]),
        cache_write_5m=_rate(entry["write_5m"]),
        cache_write_1h=_rate(entry["write_1h"]),
        cache_read=_rate(entry["read"]),
    )


def _rate(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value <= 0:
        raise ValueError(f"{value!r} is no price")
    return Decimal(value)


def _check_order(history: tuple[Price, ...]) -> None:
    days = [price.since for price in history[1:]]
    dated = [day for day in days if day is not None]
    if not history or len(dated) != len(days) or dated != sorted(set(dated)):
        raise ValueError("prices must stand oldest first, all but the first with their day")

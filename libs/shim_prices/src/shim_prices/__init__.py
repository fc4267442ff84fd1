"""What requests to models cost: dated prices for every kind of token."""

from shim_prices.catalogue import Catalogue, cost
from shim_prices.errors import BadCatalogue, PriceError, UnknownModel, UnknownRate
from shim_prices.price import Price, Rates, Tier
from shim_prices.usage import Usage

__all__ = [
    "BadCatalogue",
    "Catalogue",
    "Price",
    "PriceError",
    "Rates",
    "Tier",
    "UnknownModel",
    "UnknownRate",
    "Usage",
    "cost",
]

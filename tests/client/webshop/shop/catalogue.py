"""What the shop sells."""

from collections.abc import Iterable
from dataclasses import dataclass


class UnknownProduct(KeyError):
    """No product has this number."""


@dataclass(frozen=True)
class Product:
    """Something to buy. The price is in cents."""

    sku: str
    name: str
    price_cents: int


class Catalogue:
    """All products, by number."""

    def __init__(self, products: Iterable[Product]) -> None:
        self._products = {product.sku: product for product in products}

    def find(self, sku: str) -> Product:
        """Return the product. Raises UnknownProduct."""
        try:
            return self._products[sku]
        except KeyError:
            raise UnknownProduct(sku) from None

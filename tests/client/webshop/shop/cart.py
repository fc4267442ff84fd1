"""What a customer is about to buy."""

from dataclasses import dataclass

from shop.catalogue import Catalogue, Product


@dataclass(frozen=True)
class Line:
    """A product and how many of it."""

    product: Product
    quantity: int

    @property
    def cents(self) -> int:
        """The price of the line."""
        return self.product.price_cents * self.quantity


class Cart:
    """Products and quantities."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._quantities: dict[str, int] = {}

    def add(self, sku: str, quantity: int = 1) -> None:
        """Put products into the cart. Raises UnknownProduct, and ValueError for a quantity below 1."""
        if quantity < 1:
            raise ValueError("quantity must be at least 1")
        self._catalogue.find(sku)
        self._quantities[sku] = self._quantities.get(sku, 0) + quantity

    def remove(self, sku: str) -> None:
        """Take a product out again, however many there were."""
        self._quantities.pop(sku, None)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The cart's lines, in the order the products were added."""
        return tuple(Line(self._catalogue.find(sku), n) for sku, n in self._quantities.items())

    @property
    def total_cents(self) -> int:
        """The price of everything."""
        return sum(line.cents for line in self.lines)

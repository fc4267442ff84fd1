"""The way to the payment provider."""

from typing import Protocol


class Declined(Exception):
    """The provider refused the payment."""


class Payable(Protocol):
    """What can be charged."""

    @property
    def number(self) -> int: ...
    @property
    def total_cents(self) -> int: ...


class Gateway:
    """Keeps the charges; a provider's client takes its place in production."""

    def __init__(self) -> None:
        self.charged: list[tuple[int, int]] = []

    def charge(self, order: Payable) -> None:
        """Charge `total_cents`. Raises Declined for nothing or less."""
        if order.total_cents <= 0:
            raise Declined(f"order {order.number}: nothing to charge")
        self.charged.append((order.number, order.total_cents))

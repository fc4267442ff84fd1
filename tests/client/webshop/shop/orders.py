"""From a cart to a paid order."""

from dataclasses import dataclass
from datetime import datetime
from itertools import count

from shop.cart import Cart, Line
from shop.payments.gateway import Gateway

_numbers = count(1)


class EmptyCart(ValueError):
    """There is nothing to order."""


@dataclass(frozen=True)
class Order:
    """What was bought, by whom, when, and for how much."""

    number: int
    customer: str
    placed_at: datetime
    lines: tuple[Line, ...]
    total_cents: int


def place_order(cart: Cart, customer: str, gateway: Gateway, now: datetime) -> Order:
    """Charge the customer and return the order. Raises EmptyCart and Declined."""
    if not cart.lines:
        raise EmptyCart("the cart is empty")
    order = Order(next(_numbers), customer, now, cart.lines, cart.total_cents)
    gateway.charge(order)
    return order

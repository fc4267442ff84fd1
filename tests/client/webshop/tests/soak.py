"""Place many random orders and check that every one was charged what it said."""

import random
from datetime import datetime, timezone

from shop.cart import Cart
from shop.orders import place_order
from shop.payments.gateway import Gateway
from tests import CATALOGUE

ORDERS = 2_000_000


def main() -> None:
    chance = random.Random(1)
    gateway = Gateway()
    for done in range(1, ORDERS + 1):
        cart = Cart(CATALOGUE)
        for _ in range(chance.randint(1, 4)):
            cart.add(chance.choice(["MUG", "TEE", "PEN"]), chance.randint(1, 3))
        order = place_order(cart, f"customer {chance.randint(1, 500)}", gateway, datetime.now(timezone.utc))
        assert gateway.charged[-1] == (order.number, order.total_cents)
        if done % 200_000 == 0:
            print(f"{done} orders", flush=True)


if __name__ == "__main__":
    main()

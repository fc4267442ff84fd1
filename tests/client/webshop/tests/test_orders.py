import unittest
from datetime import datetime, timezone

from shop.cart import Cart
from shop.orders import EmptyCart, place_order
from shop.payments.gateway import Gateway
from tests import CATALOGUE

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=timezone.utc)


class OrderTest(unittest.TestCase):
    def setUp(self) -> None:
        self.cart = Cart(CATALOGUE)
        self.gateway = Gateway()

    def test_charges_the_total(self) -> None:
        self.cart.add("TEE")
        order = place_order(self.cart, "ada", self.gateway, NOW)
        self.assertEqual(self.gateway.charged, [(order.number, 2450)])

    def test_an_empty_cart_is_no_order(self) -> None:
        with self.assertRaises(EmptyCart):
            place_order(self.cart, "ada", self.gateway, NOW)
        self.assertEqual(self.gateway.charged, [])

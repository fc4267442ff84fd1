import unittest

from shop.cart import Cart
from shop.catalogue import UnknownProduct
from tests import CATALOGUE


class CartTest(unittest.TestCase):
    def setUp(self) -> None:
        self.cart = Cart(CATALOGUE)

    def test_adds_up(self) -> None:
        self.cart.add("MUG", 2)
        self.cart.add("PEN")
        self.assertEqual(self.cart.total_cents, 2118)

    def test_remove_takes_all_of_a_product(self) -> None:
        self.cart.add("MUG", 2)
        self.cart.remove("MUG")
        self.assertEqual(self.cart.lines, ())

    def test_unknown_products_and_odd_quantities_are_refused(self) -> None:
        with self.assertRaises(UnknownProduct):
            self.cart.add("CAR")
        with self.assertRaises(ValueError):
            self.cart.add("MUG", 0)

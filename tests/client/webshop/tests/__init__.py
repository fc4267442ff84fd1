"""The shop's tests."""

from shop.catalogue import Catalogue, Product

CATALOGUE = Catalogue([Product("MUG", "Mug", 999), Product("TEE", "T-shirt", 2450), Product("PEN", "Pen", 120)])

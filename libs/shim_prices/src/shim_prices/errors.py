"""What can go wrong with a price.

PriceError
├── UnknownModel   the catalogue has no such model
├── UnknownRate    it has the model, but no price for what was asked of it
└── BadCatalogue   the data file is not what it should be
"""


class PriceError(Exception):
    """A cost cannot be told. It is unknown then, and never nothing."""


class UnknownModel(PriceError):
    """The catalogue has no such model."""

    def __init__(self, model: str) -> None:
        super().__init__(f"no price is known for the model {model!r}")
        self.model = model


class UnknownRate(PriceError):
    """The catalogue has the model, but no price for its fast mode."""

    def __init__(self, model: str) -> None:
        super().__init__(f"no price is known for the fast mode of {model!r}")
        self.model = model


class BadCatalogue(PriceError):
    """The data file is not what it should be."""

"""What the model knows of growth before the first session."""

from dataclasses import dataclass

from shim_risk.growth import Growth

# As `python bench/eval_risk.py --prior` prints it.
_QUANTILES = (
    -1199, 43, 57, 91, 145, 177, 221, 266, 312, 363, 412, 474, 546, 621, 704,
    819, 939, 1101, 1321, 1623, 2151, 3342, 4706, 5998, 9376, 13477, 19557, 57195,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prior:
    """What is taken from other sessions. Thresholds are learnt apart: see `ThresholdBook`."""

    growth: Growth

    @classmethod
    def default(cls) -> "Prior":
        """Return the growth of 5,400 calls in 75 recorded sessions."""
        return cls(Growth(_QUANTILES))

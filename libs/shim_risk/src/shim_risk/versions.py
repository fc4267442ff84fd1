"""Client versions as numbers that can be compared."""

import re

Version = tuple[int, ...]

_NUMBER = re.compile(r"\d{1,9}")
_PARTS = 3


def parse(text: str | None) -> Version | None:
    """Return the first three numbers of a version, or None where there is none."""
    numbers = _NUMBER.findall(text or "")
    return tuple(int(number) for number in numbers[:_PARTS]) or None

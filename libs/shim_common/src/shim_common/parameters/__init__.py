"""Declared tunables: name, default, bounds, unit and meaning, in one place a service."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from shim_common.kernel.errors import BadInput

__all__ = ["Declared", "ParameterSource", "Tunable"]


@dataclass(frozen=True)
class Tunable:
    """One parameter. Values outside the bounds are refused."""

    name: str
    default: float
    minimum: float
    maximum: float
    unit: str
    meaning: str


class ParameterSource(Protocol):
    """Serves values, perhaps different ones per chain."""

    def value(self, name: str, chain_id: str | None = None) -> float:
        """Return the value in force."""
        ...


class Declared:
    """The declared defaults with the user's own values over them."""

    def __init__(self, tunables: Iterable[Tunable], overrides: Mapping[str, float] | None = None) -> None:
        self.tunables = {tunable.name: tunable for tunable in tunables}
        self._values = {name: tunable.default for name, tunable in self.tunables.items()}
        for name, value in (overrides or {}).items():
            self._values[name] = self._checked(name, value)

    def value(self, name: str, chain_id: str | None = None) -> float:  # noqa: ARG002 - the port's shape
        """Return the value in force; the same for every chain."""
        return self._values[name]

    def _checked(self, name: str, value: float) -> float:
        tunable = self.tunables.get(name)
        if tunable is None:
            raise BadInput(f"there is no parameter {name!r}; known are: {', '.join(sorted(self.tunables))}")
        if not tunable.minimum <= value <= tunable.maximum:
            raise BadInput(f"{name} must lie between {tunable.minimum} and {tunable.maximum}, not {value}")
        return float(value)

"""What is remembered of a client's failures, from one end to the next."""

from typing import Annotated

from pydantic import Field

from shim_common.contracts.base import Wire
from shim_common.contracts.supervision import Policy
from shim_supervision.moments import Stamp

_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class History(Wire):
    """The slate of one client. `History()` is a clean one; a start by a person's hand begins with it.

    Owners keep it on disk: `model_dump_json` writes it, `model_validate_json` reads it.

    Raises:
        pydantic.ValidationError: what was read is no history (a `ValueError`).
    """

    failures: tuple[_Seconds, ...] = Field(
        (), description="For each failure that counts, how long the client has run since, oldest first."
    )
    streak: int = Field(0, ge=0, description="Failures since the client last ran stably.")
    opened: Stamp | None = Field(None, description="Since when the breaker is open; None while it is closed.")

    def failed(self, policy: Policy, lived_s: float | None) -> "History":
        """Return the history with one more failure, of a client that had run for so long.

        The window is one of running time. Waiting does not count, because a wait (the back-off's own, or the storm
        guard's) would otherwise carry the failures of a crash loop out of the window. A life of unknown length makes
        no earlier failure older. One more failure than the policy allows is all that is ever kept.
        """
        aged = (age + (lived_s or 0.0) for age in self.failures)
        recent = [age for age in aged if age <= policy.window_s][-policy.intensity :]
        return self.model_copy(update={"failures": (*recent, 0.0), "streak": self.streak + 1})

    def opened_at(self, stamp: Stamp) -> "History":
        """Return the history with the breaker open since then."""
        return self.model_copy(update={"opened": stamp})

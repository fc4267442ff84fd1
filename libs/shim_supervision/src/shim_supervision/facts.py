"""What the rules must know besides the end itself."""

from dataclasses import dataclass

from shim_common.contracts.supervision import Owner


@dataclass(frozen=True, slots=True)
class Facts:
    """Whose client ended, and who is asking.

    `lived_s` is for how long the process ran, in seconds of a clock that never jumps; None where nobody knows.
    `after_reboot` says that the machine was started anew since, so that the client's terminal is gone too.
    """

    managed_by: Owner
    decider: Owner
    started_under_shim: bool
    lived_s: float | None = None
    after_reboot: bool = False

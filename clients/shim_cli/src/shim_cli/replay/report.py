"""What became of a replay."""

from dataclasses import dataclass, field

from shim_common.contracts.sessions import Recovery, Session
from shim_transcripts import ReadReport


@dataclass(frozen=True)
class Difference:
    """An entry that is not stored as it was sent; `position` counts from 1."""

    position: int
    what: str


@dataclass(frozen=True)
class Verification:
    """What is stored, compared with what was sent."""

    entries: int
    redacted: int
    differences: tuple[Difference, ...]

    @property
    def is_equal(self) -> bool:
        """Whether every entry is stored as it was sent, redaction apart."""
        return not self.differences


@dataclass
class ReplayReport:
    """A replayed recording. Times are seconds, sizes bytes of the transcript."""

    name: str
    damage: ReadReport
    session: Session | None = None
    sent: int = 0
    sent_bytes: int = 0
    requests: int = 0
    hooks: int = 0
    checkpoints: int = 0
    retries: int = 0
    seconds: float = 0.0
    slowest_append: float = 0.0
    killed_at: int | None = None
    recovery: Recovery | None = None
    bundle_seconds: float = 0.0
    verification: Verification = field(default_factory=lambda: Verification(0, 0, ()))

    @property
    def is_equal(self) -> bool:
        """Whether what is stored equals what was sent, redaction apart."""
        return self.verification.is_equal

    @property
    def rate(self) -> float:
        """Entries a second, waiting for the recorded times included."""
        return self.sent / self.seconds if self.seconds else 0.0

"""What every use case works with."""

from dataclasses import dataclass

from shim_checkpointer.domain.session import Kept
from shim_checkpointer.domain.triggers import RiskyCalls
from shim_checkpointer.ports import Cipher, Redact, Ring, Store, Unit
from shim_common.contracts.base import JsonObject
from shim_common.contracts.envelope import Event
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import NotFound
from shim_common.kernel.ids import Ids
from shim_common.parameters import ParameterSource, Tunable

SOURCE = "checkpointer"

TUNABLES = (
    Tunable("checkpoint_every", 5, 1, 1000, "tool calls", "A checkpoint is made after so many tool calls."),
    Tunable("heartbeat_lapse_s", 30, 5, 3600, "s", "A session silent for so long counts as gone."),
    Tunable("hold_risky_call_s", 2, 0, 2, "s", "A risky tool call waits at most so long for its file snapshot."),
    Tunable("seal_mib", 1, 0.01, 64, "MiB", "Fresh entries of this size are sealed into a block."),
    Tunable("store_budget_gib", 5, 0.01, 100_000, "GiB", "Above it the oldest ended sessions' data is removed."),
    Tunable("events_kept_days", 90, 1, 36_500, "days", "Events are kept for so long."),
)


@dataclass(frozen=True)
class Context:
    """The outside world as the use cases see it."""

    store: Store
    clock: Clock
    ids: Ids
    parameters: ParameterSource
    redact: Redact
    cipher: Cipher
    ring: Ring
    risky: RiskyCalls

    def clean(self, text: str) -> str:
        """Return a text with its secrets taken out."""
        return str(self.redact({"text": text})["text"])

    def event(self, kind: str, session: Kept, actor: str, subject: str | None = None, **data: object) -> Event:
        """Return an event about a session."""
        return Event(
            id=self.ids.new("evt"),
            type=kind,
            occurred_at=self.clock.now(),
            source=SOURCE,
            subject=subject or session.id,
            actor=actor,
            project_id=session.project,
            chain_id=session.chain_id,
            session_id=session.id,
            data=dict(data),
        )


async def session_of(unit: Unit, sid: str, *, lock: bool = False) -> Kept:
    """Return the session with this id.

    Raises:
        NotFound: there is none.
    """
    session = await unit.sessions.find(sid, lock=lock)
    if session is None:
        raise NotFound(f"there is no session {sid!r}; `shim sessions` lists them", code="session_not_found")
    return session


def text_of(document: JsonObject, name: str) -> str | None:
    """Return a text field of a client's document, None where it is missing or something else."""
    value = document.get(name)
    return value if isinstance(value, str) and value else None

"""Making checkpoints."""

from uuid import UUID

from shim_checkpointer.domain.session import Kept
from shim_checkpointer.ports import Unit
from shim_checkpointer.usecases.context import Context
from shim_common.contracts.envelope import Event
from shim_common.contracts.sessions import Checkpoint, Trigger

PREFIX = "ckp"


async def make_checkpoint(
    context: Context, unit: Unit, session: Kept, trigger: Trigger, actor: str, note: str | None = None
) -> tuple[Checkpoint, Event]:
    """Checkpoint where the session stands; the caller saves the session and publishes the event."""
    checkpoint_id = context.ids.new(PREFIX)
    at = context.clock.now()
    size = session.fresh_bytes
    session.checkpoints += 1
    session.checkpointed_calls = session.digest.finished_calls
    session.fresh_bytes = 0
    await unit.checkpoints.add(session, uuid_of(checkpoint_id), at, trigger, note)
    checkpoint = Checkpoint(
        id=checkpoint_id,
        session_id=session.id,
        number=session.checkpoints,
        position=session.position,
        head=session.head.hex(),
        trigger=trigger,
        at=at,
        note=note,
    )
    event = context.event(
        "checkpoint.created",
        session,
        actor,
        subject=checkpoint_id,
        checkpoint_id=checkpoint_id,
        number=checkpoint.number,
        position=checkpoint.position,
        size=size,
        trigger=trigger.value,
    )
    return checkpoint, event


def uuid_of(identifier: str) -> UUID:
    """Return the UUID inside an identifier such as `ckp_0192...`.

    Raises:
        ValueError: it is not one of ours.
    """
    return UUID(identifier.partition("_")[2])

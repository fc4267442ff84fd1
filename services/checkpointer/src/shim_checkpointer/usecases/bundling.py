"""Making the resume bundle of a session."""

from shim_checkpointer.domain.bundle import BundleFacts, render
from shim_checkpointer.domain.pending import Observation, pending_calls
from shim_checkpointer.domain.session import Kept
from shim_checkpointer.ports import Unit
from shim_common.contracts.sessions import PendingCall, SessionState


async def build_bundle(unit: Unit, session: Kept) -> tuple[str, list[PendingCall]]:
    """Return the bundle as of now and the calls that were in flight."""
    seen = await unit.hooks.uncovered(session) if session.hooked_at is not None else []
    pending = pending_calls(session.digest.open_calls, seen, session.processes)
    newest = await unit.checkpoints.page(session, None, 1)
    facts = BundleFacts(
        session=session.client_session_id,
        project=session.project,
        last_seen_at=session.last_seen_at,
        interrupted=session.state is SessionState.INTERRUPTED or session.turn_open,
        position=session.position,
        checkpoint=newest[0].id if newest else None,
        digest=session.digest,
        prompt=open_prompt(session, seen),
        pending=pending,
    )
    return render(facts), pending


async def refresh_bundle(unit: Unit, session: Kept) -> None:
    """Keep a bundle ready for when it is asked for; the caller saves the session."""
    session.bundle, _ = await build_bundle(unit, session)


def open_prompt(session: Kept, seen: list[Observation]) -> str | None:
    """Return the last prompt: from a hook if the log has not got it yet."""
    for observation in reversed(seen):
        prompt = observation.body.get("prompt")
        if observation.kind == "UserPromptSubmit" and isinstance(prompt, str):
            return prompt
    return session.digest.prompts[-1][1] if session.digest.prompts else None

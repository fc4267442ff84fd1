"""Making the resume bundle of a session."""

from collections.abc import Sequence

from shim_checkpointer.domain.bundle import BundleFacts, Standing, render
from shim_checkpointer.domain.digest import Digest, kept_prompt
from shim_checkpointer.domain.pending import Observation, pending_calls
from shim_checkpointer.domain.session import Kept
from shim_checkpointer.domain.text import constraints_in
from shim_checkpointer.ports import Unit
from shim_common.contracts.sessions import PendingCall, SessionState

_END_OF_TURN = ("Stop", "StopFailure")


async def build_bundle(unit: Unit, session: Kept, standing: Standing | None = None) -> tuple[str, list[PendingCall]]:
    """Return the bundle as of now and the calls that were in flight; how the session stands, unless it is said."""
    seen = await unit.hooks.uncovered(session) if session.hooked_at is not None else []
    digest = session.digest
    pending = pending_calls(digest.open_calls, seen, session.processes, digest.settled_at)
    newest = await unit.checkpoints.page(session, None, 1)
    prompts = prompts_of(digest, seen)
    facts = BundleFacts(
        session=session.client_session_id,
        project=session.project,
        standing=standing or _standing(session),
        at=session.last_seen_at,
        position=session.position,
        checkpoint=newest[0].id if newest else None,
        digest=digest,
        prompts=prompts,
        constraints=_constraints(digest, prompts),
        reply=_last_reply(digest, seen),
        pending=pending,
    )
    return render(facts), pending


async def refresh_bundle(unit: Unit, session: Kept) -> None:
    """Keep a bundle ready for when it is asked for; the caller saves the session."""
    session.bundle, _ = await build_bundle(unit, session)


def prompts_of(digest: Digest, seen: Sequence[Observation]) -> list[tuple[str, str]]:
    """Return the last prompts with their times, oldest first: those of the log, and those only a hook has seen."""
    logged = [(at, prompt) for at, prompt in digest.prompts]
    hooked = [(one.at.isoformat(), kept_prompt(prompt)) for one in seen if (prompt := _unlogged_prompt(one, logged))]
    return sorted([*logged, *hooked])


def _unlogged_prompt(seen: Observation, logged: Sequence[tuple[str, str]]) -> str | None:
    """Return the prompt that a hook saw if the log has not got it; without an id, only time and text can tell."""
    prompt = seen.body.get("prompt")
    if seen.kind != "UserPromptSubmit" or not isinstance(prompt, str):
        return None
    is_late = not logged or seen.at.isoformat() > logged[-1][0]
    is_known = kept_prompt(prompt) in {text for _, text in logged}
    return prompt if not is_known and (is_late or seen.subject is not None) else None


def _standing(session: Kept) -> Standing:
    is_open = session.state is SessionState.INTERRUPTED or session.turn_open
    return Standing.INTERRUPTED if is_open else Standing.AT_REST


def _constraints(digest: Digest, prompts: Sequence[tuple[str, str]]) -> list[str]:
    """Return what the user asked to be kept to, also in prompts that the log has not got."""
    logged = {prompt for _, prompt in digest.prompts}
    heard = [found for _, prompt in prompts if prompt not in logged for found in constraints_in(prompt)]
    return [*digest.constraints, *(found for found in heard if found not in digest.constraints)]


def _last_reply(digest: Digest, seen: Sequence[Observation]) -> str | None:
    """Return the assistant's last words: the hook at the end of a turn may be the only one that has them."""
    for observation in reversed(seen):
        words = observation.body.get("last_assistant_message")
        if observation.kind in _END_OF_TURN and isinstance(words, str) and words:
            is_newest = digest.replied_at is None or observation.at.isoformat() > digest.replied_at
            return words if is_newest else digest.last_reply
    return digest.last_reply

"""Looks through everything that is stored after the chaos, for what was lost, torn or never told."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from shim_cli.api import Api
from shim_cli.replay import ReplayReport
from shim_common.contracts.envelope import Event

from ..stack.rig.listener import Listener
from ..stack.rig.waiting import eventually

MOST = 1000
"""Checkpoints of one session that are looked at; the API gives no more at once."""


@dataclass(frozen=True)
class Audit:
    """What was found. Every list but the first two has to be empty."""

    checkpoints: Sequence[str]
    events: Sequence[Event]
    lost: Sequence[str]
    damaged: Sequence[str]
    torn: Sequence[str]
    untold: Sequence[str]
    unheard: Sequence[str]
    odd_lives: Sequence[str]


def audit(api: Api, listener: Listener, reports: Sequence[ReplayReport], others: Sequence[str]) -> Audit:
    """Look at the replayed sessions, at the `others`, and at all events."""
    replayed = [report.session.id for report in reports if report.session is not None]
    sids = [*replayed, *others]
    checkpoints = [checkpoint.id for sid in sids for checkpoint in api.checkpoints(sid, MOST)]
    events = list(api.events(None))
    eventually(lambda: len(listener.heard) >= len(events), "the listener hears as much as there is", 30.0)
    told = Counter(event.data["checkpoint_id"] for event in events if event.type == "checkpoint.created")
    heard = {event.id for event in listener.heard}
    return Audit(
        checkpoints=checkpoints,
        events=events,
        lost=[f"{one}" for report in reports for one in report.verification.differences],
        damaged=[sid for sid in sids if not api.integrity(sid).verified],
        torn=[checkpoint for checkpoint in checkpoints if not api.checkpoint(checkpoint).verified],
        untold=[checkpoint for checkpoint in checkpoints if told[checkpoint] != 1],
        unheard=[event.id for event in events if event.id not in heard],
        odd_lives=[f"{sid}: {life}" for sid in replayed if (life := _life(events, sid)) != LIFE],
    )


LIFE = {"session.started": 1, "session.interrupted": 1, "session.resumed": 1, "session.ended": 1}
"""What happens to a session that is replayed, killed and resumed: each once, however often SHIM was killed."""


def _life(events: Sequence[Event], sid: str) -> dict[str, int]:
    return dict(Counter(event.type for event in events if event.session_id == sid and event.type in LIFE))

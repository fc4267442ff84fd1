"""What can be killed, how, and in which order."""

import random
import shutil
from collections.abc import Callable, Mapping, Sequence

from ..stack.rig.stack import Stack

Kill = Callable[[Stack], None]


def _one(name: str) -> Kill:
    return lambda stack: stack.kill(name)


def _wipe_valkey(stack: Stack) -> None:
    """Its files go first: killed, it finds nothing and starts empty."""
    shutil.rmtree(stack.home / "valkey" / "appendonlydir")
    stack.kill("valkey")


def _everything(stack: Stack) -> None:
    stack.kill_everything()
    stack.up()


KILLS: Mapping[str, Kill] = {
    "services": _one("services"),
    "gateway": _one("gateway"),
    "agent": _one("agent"),
    "postgres": _one("postgres"),
    "valkey": _one("valkey"),
    "valkey, wiped": _wipe_valkey,
    "whole stack": _everything,
}
SHARES: Mapping[str, int] = {
    "services": 80,
    "gateway": 60,
    "agent": 60,
    "postgres": 50,
    "valkey": 25,
    "valkey, wiped": 25,
    "whole stack": 100,
}
"""How often each comes in 400 kills."""


def schedule(rounds: int | None, chance: random.Random) -> Sequence[str]:
    """The kinds of kills in their order: one of each, or about `rounds` by their shares."""
    if rounds is None:
        kinds = list(KILLS)
    else:
        total = sum(SHARES.values())
        kinds = [kind for kind, share in SHARES.items() for _ in range(max(1, round(share * rounds / total)))]
    chance.shuffle(kinds)
    return kinds

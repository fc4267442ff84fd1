"""Applies the restart rules: reads what is remembered of a session, decides, and remembers."""

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from shim_agent.supervision.policies import Policies
from shim_agent.supervision.store import Store
from shim_agent.supervision.tended import Tended
from shim_common.contracts.supervision import Decision, End, Owner
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import Unavailable
from shim_supervision import Facts, History, Now, TokenBucket, decide

_BUCKET = "bucket"


def boot_id() -> str:
    """Return what names this start of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return f"{psutil.boot_time():.0f}"


class Decider:
    """Decides about ends. Where the disk fails, it goes on with what it remembers itself."""

    def __init__(
        self,
        store: Store,
        policies: Policies,
        clock: Clock,
        boot: str,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._policies = policies
        self._clock = clock
        self._boot = boot
        self._draw = draw
        self._histories: dict[str, History] = {}
        self._bucket = TokenBucket()

    def decide(self, tended: Tended, end: End, decider: Owner, lived_s: float | None) -> Decision:
        """Return what is done about the end of a session's client.

        `lived_s` is for how long it ran, in seconds of a clock that never jumps; None where nobody knows.
        """
        watch = tended.watch
        facts = Facts(
            managed_by=watch.managed_by,
            decider=decider,
            started_under_shim=watch.started_under_shim,
            lived_s=lived_s,
            after_reboot=tended.boot != self._boot,
        )
        policy, history = self._policies.of(watch.policy), self._history(tended.session)
        decision, history = decide(policy, history, end, facts=facts, now=self._now(), draw=self._draw())
        self._remember(tended.session, history)
        return decision

    def forgive(self, session: str) -> None:
        """Clean a session's slate: a person starts it by hand."""
        self._remember(session, History())

    def take_token(self) -> float:
        """Take leave for one restart: 0, or the seconds after which to ask again. All of a machine share it."""
        try:
            with self._store.alone():
                bucket = self._store.kept(_BUCKET, TokenBucket) or TokenBucket()
                granted, wait = bucket.take(self._now())
                self._store.keep(_BUCKET, bucket)
        except Unavailable:
            granted, wait = self._bucket.take(self._now())
        return 0.0 if granted else wait

    def _history(self, session: str) -> History:
        with suppress(Unavailable):
            kept = self._store.kept(_name(session), History)
            return kept or History()
        return self._histories.get(session, History())

    def _remember(self, session: str, history: History) -> None:
        self._histories[session] = history
        with suppress(Unavailable):
            self._store.keep(_name(session), history)

    def _now(self) -> Now:
        return Now(wall=self._clock.now(), monotonic=self._clock.monotonic(), boot=self._boot)


def _name(session: str) -> str:
    return f"history:{session}"

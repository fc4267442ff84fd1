"""One session's log on the server, as transcripts fill it."""

import asyncio
from collections import Counter

import structlog

from shim_agent.gateway import Gateway
from shim_agent.retry import until_done
from shim_agent.transcripts.batches import Stretch, batches, halves, new_entries
from shim_agent.transcripts.silence import HookSilence
from shim_agent.transcripts.sources import Origin
from shim_agent.transcripts.touched import touched_files
from shim_common.contracts.sessions import Appended, AppendEntries, NewSession, SourceSpan
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import BadInput, NotFound, ShimError, TooLarge, Unprocessable
from shim_common.kernel.retry import Backoff

log = structlog.get_logger()

_REFUSALS = (BadInput, TooLarge, Unprocessable)
_MAX_TOUCHED = 1000
_KEEP_SPAN_FROM = 1024 * 1024
"""Bytes without an entry after which the position is stored all the same, so that they are not read again."""


class SessionLog:
    """Appends stretches of transcripts, in order; waits as long as SHIM is away. Hold `turn` while appending.

    `counts` tells what became of the entries, `touched` which files their tool calls write, newest last.
    """

    def __init__(self, gateway: Gateway, client: str, session: str, clock: Clock, backoff: Backoff) -> None:
        self.session = session
        self.turn = asyncio.Lock()
        self.silence = HookSilence()
        self.counts = Counter[str]()
        self.touched: dict[str, None] = {}
        self._gateway = gateway
        self._client = client
        self._clock = clock
        self._backoff = backoff

    async def stored(self) -> dict[str, int] | None:
        """Return how far each source is stored; None where the session is not known."""
        try:
            return await until_done("sources", lambda: self._gateway.sources(self.session), self._backoff)
        except NotFound:
            return None

    async def open(self, origin: Origin) -> None:
        """Open the session; nothing happens where it is open."""
        new = NewSession(
            client=self._client,
            client_session_id=self.session,
            project=origin.project,
            client_version=origin.client_version,
        )
        _, is_new = await until_done("open_session", lambda: self._gateway.open_session(new), self._backoff)
        self.silence = self.silence.after_opening(is_new=is_new, began_at=origin.began_at, now=self._clock.now())

    async def knows(self, stretch: Stretch) -> bool:
        """Tell whether the server has these entries, or refused them before; those that it has not, it gets."""
        try:
            answer = await self._append(AppendEntries(entries=new_entries(stretch.entries)))
        except _REFUSALS:
            return True
        return answer.appended == 0

    async def append(self, name: str, stretch: Stretch, origin: Origin) -> bool:
        """Store a stretch of the source `name`; False where there was nothing worth a request yet.

        Raises:
            ShimError: SHIM refused for a reason that is not in the entries and will not pass.
        """
        if not stretch.entries and stretch.end - stretch.start < _KEEP_SPAN_FROM:
            return False
        for batch in batches(stretch):
            try:
                await self._send(name, batch)
            except NotFound:
                log.warning("session_unknown_now", session=self.session)
                await self.open(origin)
                await self._send(name, batch)
        return True

    async def _send(self, name: str, batch: Stretch) -> None:
        span = SourceSpan(file=name, start=batch.start, end=batch.end)
        try:
            answer = await self._append(AppendEntries(entries=new_entries(batch.entries), source=span))
        except _REFUSALS as error:
            await self._send_around(name, batch, error)
            return
        self.counts.update(appended=answer.appended, duplicates=answer.duplicates)
        self._listen(answer)
        self._note_touched(batch)

    async def _send_around(self, name: str, batch: Stretch, error: ShimError) -> None:
        """Find the line that is refused, leave it out and count it; everything else is stored."""
        parts = halves(batch)
        if parts is not None:
            for part in parts:
                await self._send(name, part)
            return
        if not batch.entries:
            raise error
        self.counts.update(refused=len(batch.entries))
        log.warning(
            "line_refused",
            session=self.session,
            start=batch.entries[0].offset,
            end=batch.entries[0].end,
            code=error.problem_code,
        )
        await self._send(name, Stretch(batch.start, batch.end, ()))

    async def _append(self, entries: AppendEntries) -> Appended:
        return await until_done("append", lambda: self._gateway.append(self.session, entries), self._backoff)

    def _note_touched(self, batch: Stretch) -> None:
        for placed in batch.entries:
            for path in touched_files(placed.entry.body):
                self.touched.pop(path, None)
                self.touched[path] = None
        while len(self.touched) > _MAX_TOUCHED:
            del self.touched[next(iter(self.touched))]

    def _listen(self, answer: Appended) -> None:
        was_alarming = self.silence.alarming
        self.silence = self.silence.after_append(answer.appended, answer.hooked_at)
        if self.silence.alarming and not was_alarming:
            log.warning("transcript_grows_without_hooks", session=self.session, entries=self.silence.entries)

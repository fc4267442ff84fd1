"""Tells the service what was done here, in the order in which it was done."""

import asyncio
from contextlib import suppress

import structlog

from shim_agent.gateway import Gateway
from shim_agent.retry import until_done
from shim_agent.supervision.store import Store
from shim_agent.supervision.tended import Report
from shim_common.kernel.errors import ShimError
from shim_common.kernel.retry import Backoff

log = structlog.get_logger()


class Reporter:
    """Sends the spool. A report leaves it once the service has it, so that one may be sent twice, never lost.

    Each report carries all that it takes: the service knows a watch by its process and a report by its id, so that
    nothing must be remembered here between one and the next.
    """

    def __init__(self, store: Store, gateway: Gateway, backoff: Backoff, look_seconds: float) -> None:
        self._store = store
        self._gateway = gateway
        self._backoff = backoff
        self._look_seconds = look_seconds
        self._news = asyncio.Event()

    def add(self, report: Report) -> None:
        """Take a report; it is on disk when this returns."""
        self._store.spool(report)
        self._news.set()

    async def run(self) -> None:
        """Send until cancelled, also what every `shim run` put there."""
        while True:
            self._news.clear()
            while (found := self._store.next_report()) is not None:
                number, report = found
                if report is not None:
                    await self._send(report)
                self._store.drop_report(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_seconds):
                    await self._news.wait()

    async def _send(self, report: Report) -> None:
        try:
            await until_done("report", lambda: self._tell(report), self._backoff)
        except ShimError as error:
            log.warning("report_not_taken", session=report.watch.session, code=error.problem_code, reason=error.detail)

    async def _tell(self, report: Report) -> None:
        watch = await self._gateway.put_watch(report.watch)
        if report.end is None:
            return
        incident = await self._gateway.end_watch(watch.id, report.end)
        if incident is None:
            return
        if report.attempt is not None:
            await self._gateway.add_attempt(incident.id, report.attempt)
        if report.dismissed:
            await self._gateway.dismiss(incident.id)

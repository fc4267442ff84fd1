"""What every use case works with."""

from dataclasses import dataclass

from shim_common.contracts.envelope import Event
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import Unprocessable
from shim_common.kernel.ids import Ids
from shim_supervisor.domain.watch import KeptWatch
from shim_supervisor.ports import Redact, Ring, Store, Unit

SOURCE = "supervisor"


@dataclass(frozen=True)
class Context:
    """The outside world as the use cases see it."""

    store: Store
    clock: Clock
    ids: Ids
    redact: Redact
    ring: Ring

    def clean(self, text: str) -> str:
        """Return a text with its secrets taken out."""
        return str(self.redact({"text": text})["text"])

    def event(self, kind: str, watch: KeptWatch, actor: str, subject: str, /, **data: object) -> Event:
        """Return an event about a watched session. `session_id` is the client's own id of it."""
        return Event(
            id=self.ids.new("evt"),
            type=kind,
            occurred_at=self.clock.now(),
            source=SOURCE,
            subject=subject,
            actor=actor,
            project_id=watch.project,
            session_id=watch.session,
            data={"watch_id": watch.id, "client": watch.client, "managed_by": watch.managed_by.value, **data},
        )

    async def is_new(self, unit: Unit, report_id: str, subject: str) -> bool:
        """Whether a report comes for the first time.

        Raises:
            Unprocessable: the id was used for a report about something else.
        """
        taken_for = await unit.reports.take(report_id, subject, self.clock.now())
        if taken_for not in (None, subject):
            raise Unprocessable(
                f"the report id {report_id!r} was used for another report; make a new one", code="report_id_reused"
            )
        return taken_for is None

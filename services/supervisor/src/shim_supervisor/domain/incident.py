"""An end that was not meant, from its report until the session runs again or nobody wants it to."""

from dataclasses import dataclass, field
from datetime import datetime

from shim_common.contracts.supervision import (
    Attempt,
    Decision,
    End,
    EndKind,
    EndReport,
    Incident,
    IncidentState,
    Step,
)
from shim_supervisor.domain.watch import KeptWatch

_STATE_AFTER = {
    Step.RESTART: IncidentState.OPEN,
    Step.WAIT: IncidentState.OPEN,
    Step.OFFER: IncidentState.OFFERED,
    Step.SUPPRESS: IncidentState.SUPPRESSED,
    Step.ESCALATE: IncidentState.ESCALATED,
}
_CLOSED = (IncidentState.RESUMED, IncidentState.DISMISSED)


def needs_nothing(report: EndReport) -> bool:
    """Whether nothing is to be done about an end: it was meant, or its owner leaves the client alone."""
    return report.end.kind is EndKind.CLOSED or report.decision.step is Step.LEAVE


@dataclass
class KeptIncident:
    """An incident. `no` is the store's own number for it, 0 before it is stored."""

    id: str
    watch: KeptWatch
    state: IncidentState
    opened_at: datetime
    end: End
    decision: Decision
    closed_at: datetime | None = None
    attempts: list[Attempt] = field(default_factory=list)
    no: int = 0

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is expected."""
        return self.state in _CLOSED

    def close(self, state: IncidentState, at: datetime) -> None:
        """End the incident; not before it began, whatever the reporters' clocks say."""
        self.state, self.closed_at = state, max(at, self.opened_at)

    def reopen(self) -> None:
        """Expect the client to be started again, because somebody asked for it."""
        self.state, self.closed_at = IncidentState.OPEN, None

    def public(self) -> Incident:
        """Return what is told of the incident."""
        return Incident(
            id=self.id,
            watch_id=self.watch.id,
            client=self.watch.client,
            session=self.watch.session,
            project=self.watch.project,
            state=self.state,
            opened_at=self.opened_at,
            closed_at=self.closed_at,
            end=self.end,
            decision=self.decision,
            attempts=self.attempts,
        )


def opened(incident_id: str, watch: KeptWatch, end: End, decision: Decision, at: datetime) -> KeptIncident:
    """Return the incident that an end with something to be done about it begins."""
    return KeptIncident(incident_id, watch, _STATE_AFTER[decision.step], at, end, decision)

"""The rules of an incident."""

from datetime import timedelta

import pytest

from shim_common.contracts.supervision import EndKind, EndReport, IncidentState, Step
from shim_supervisor.domain.incident import KeptIncident, needs_nothing, opened

from ..building import START, report
from .test_watch import kept


def incident(step: str = "restart") -> KeptIncident:
    told = EndReport.model_validate(report(step))
    return opened("inc_1", kept(), told.end, told.decision, START)


@pytest.mark.parametrize(
    ("step", "state"),
    [
        ("restart", IncidentState.OPEN),
        ("wait", IncidentState.OPEN),
        ("offer", IncidentState.OFFERED),
        ("suppress", IncidentState.SUPPRESSED),
        ("escalate", IncidentState.ESCALATED),
    ],
)
def test_where_an_incident_begins(step: str, state: IncidentState) -> None:
    found = incident(step)

    assert (found.state, found.is_closed, found.public().closed_at) == (state, False, None)


@pytest.mark.parametrize("kind", EndKind)
@pytest.mark.parametrize("step", Step)
def test_what_needs_nothing(kind: EndKind, step: Step) -> None:
    told = EndReport.model_validate(report(step.value, kind.value))

    assert needs_nothing(told) is (kind is EndKind.CLOSED or step is Step.LEAVE)


@pytest.mark.parametrize("state", [IncidentState.RESUMED, IncidentState.DISMISSED])
def test_closing_and_opening_again(state: IncidentState) -> None:
    found = incident()

    found.close(state, START + timedelta(seconds=2))
    assert (found.is_closed, found.closed_at) == (True, START + timedelta(seconds=2))
    found.reopen()
    assert (found.state, found.closed_at) == (IncidentState.OPEN, None)


def test_no_incident_closes_before_it_began() -> None:
    found = incident()
    found.close(IncidentState.RESUMED, START - timedelta(hours=1))

    assert found.closed_at == START

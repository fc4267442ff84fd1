"""Signals, risk and parameters."""

from fastapi import APIRouter

from shim_checkpointer.api.common import READING, Sid
from shim_checkpointer.usecases.signalling import Signalling
from shim_common.contracts.access import Scope
from shim_common.contracts.sessions import ParameterList, RiskReport, SignalPage, SignalReport
from shim_common.kernel.errors import NotFound
from shim_common.web import pages
from shim_common.web.app import service_router
from shim_common.web.tokens import require


def router(signalling: Signalling, parameters: ParameterList) -> APIRouter:
    """Return the routes of signals."""
    routes = service_router("signals")

    @routes.get("/v1/sessions/{sid}/signals", responses=READING, dependencies=[require(Scope.READ)])
    async def report_signals(sid: Sid) -> SignalReport:
        """Return what is measured of a session now, and which signals are up."""
        return await signalling.report(sid)

    @routes.get("/v1/sessions/{sid}/signals/history", responses=READING, dependencies=[require(Scope.READ)])
    async def list_signals(
        sid: Sid, limit: pages.Limit = pages.DEFAULT_LIMIT, cursor: pages.Cursor = None
    ) -> SignalPage:
        """List the signals of a session, newest first."""
        found = await signalling.history(sid, pages.decode(cursor, int), limit)
        following = pages.encode(found[-1][0]) if len(found) == limit else None
        return SignalPage(items=[signal for _, signal in found], next_cursor=following)

    @routes.get("/v1/sessions/{sid}/risk", responses=READING, dependencies=[require(Scope.READ)])
    async def report_risk(sid: Sid) -> RiskReport:
        """Return when the context will be exhausted; 404 before the first API call."""
        report = await signalling.report(sid)
        if report.risk is None:
            raise NotFound("no API call of this session is known yet, so nothing can be said", code="risk_unknown")
        return report.risk

    @routes.get("/v1/parameters", responses=READING, dependencies=[require(Scope.READ)])
    async def list_parameters() -> ParameterList:
        """List the declared tunables with the values in force."""
        return parameters

    return routes

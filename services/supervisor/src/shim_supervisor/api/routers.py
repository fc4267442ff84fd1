"""All routers over all use cases."""

from dataclasses import dataclass

from fastapi import APIRouter

from shim_supervisor.api import incidents, policies, watches
from shim_supervisor.usecases.incidents import Incidents
from shim_supervisor.usecases.policies import Policies
from shim_supervisor.usecases.upkeep import Upkeeping
from shim_supervisor.usecases.watching import Watching


@dataclass(frozen=True)
class Services:
    """The use cases."""

    watching: Watching
    incidents: Incidents
    policies: Policies
    upkeeping: Upkeeping


def routers(services: Services) -> list[APIRouter]:
    """Return every router."""
    return [
        watches.router(services.watching),
        incidents.router(services.incidents),
        policies.router(services.policies),
    ]

"""All routers over all use cases."""

from dataclasses import dataclass

from fastapi import APIRouter

from shim_checkpointer.api import checkpoints, events, files, hooks, search, sessions, signals
from shim_checkpointer.metrics import Metrics
from shim_checkpointer.usecases.appending import Appending
from shim_checkpointer.usecases.context import Context
from shim_checkpointer.usecases.filing import Filing
from shim_checkpointer.usecases.hooking import Hooking
from shim_checkpointer.usecases.recovering import Recovering
from shim_checkpointer.usecases.searching import Indexing, Searching
from shim_checkpointer.usecases.sessions import SessionLife
from shim_checkpointer.usecases.signalling import Signalling
from shim_checkpointer.usecases.upkeep import Upkeeping
from shim_checkpointer.usecases.viewing import Viewing
from shim_common.contracts.sessions import ParameterList


@dataclass(frozen=True)
class Services:
    """The use cases."""

    context: Context
    life: SessionLife
    appending: Appending
    signalling: Signalling
    hooking: Hooking
    recovering: Recovering
    viewing: Viewing
    filing: Filing
    searching: Searching
    indexing: Indexing
    upkeeping: Upkeeping
    parameters: ParameterList


def routers(services: Services, metrics: Metrics) -> list[APIRouter]:
    """Return every router."""
    return [
        sessions.router(services.life, services.appending, services.viewing, metrics),
        signals.router(services.signalling, services.parameters),
        checkpoints.router(services.viewing, services.recovering),
        files.router(services.filing),
        search.router(services.searching),
        hooks.router(services.hooking),
        events.router(services.context),
    ]

"""The composition root: the only place that picks adapters."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from shim_checkpointer import jobs
from shim_checkpointer.api import Services, routers
from shim_checkpointer.domain import signals, triggers
from shim_checkpointer.metrics import Metrics
from shim_checkpointer.ports import Upkeep
from shim_checkpointer.settings import SCHEMA, Settings
from shim_checkpointer.storage import PostgresStore
from shim_checkpointer.storage.upkeep import PostgresUpkeep
from shim_checkpointer.usecases import context as base
from shim_checkpointer.usecases.appending import Appending
from shim_checkpointer.usecases.filing import Filing
from shim_checkpointer.usecases.foreseeing import Foreseeing
from shim_checkpointer.usecases.hooking import Hooking, Snapshots
from shim_checkpointer.usecases.recovering import Recovering
from shim_checkpointer.usecases.searching import Indexing, Searching
from shim_checkpointer.usecases.sessions import SessionLife
from shim_checkpointer.usecases.signalling import Signalling
from shim_checkpointer.usecases.upkeep import Upkeeping
from shim_checkpointer.usecases.viewing import Viewing
from shim_checkpointer.vault import FileVault
from shim_common import background
from shim_common.contracts.sessions import Parameter, ParameterList
from shim_common.db.database import Database
from shim_common.db.outbox import Relay
from shim_common.db.schema import bring_up
from shim_common.kernel import secrets
from shim_common.kernel.clock import Clock, SystemClock
from shim_common.kernel.ids import Ids, TimeOrderedIds
from shim_common.parameters import Declared
from shim_common.redaction import redact_object
from shim_common.web.app import create_service_app
from shim_common.web.tokens import TokenMaker

INTERNAL_SECRET = "internal.secret"  # noqa: S105 - the name of a file


def create_app(settings: Settings, clock: Clock | None = None, ids: Ids | None = None) -> FastAPI:
    """Return the application; nothing is opened before it starts."""
    clock = clock or SystemClock()
    database = Database(settings.database_url, SCHEMA)
    redis = Redis.from_url(settings.redis_url)
    relay = Relay(database, redis)
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    parameters = Declared((*base.TUNABLES, *signals.TUNABLES), settings.parameters)
    context = base.Context(
        store=PostgresStore(database, metrics.count),
        clock=clock,
        ids=ids or TimeOrderedIds(clock),
        parameters=parameters,
        redact=redact_object,
        cipher=FileVault(settings.keys_dir / "files"),
        ring=relay.ring,
        risky=triggers.RiskyCalls((*triggers.RISKY_COMMANDS, *settings.risky_commands)),
    )
    services = make_services(context, PostgresUpkeep(database), parameters)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await bring_up(settings.database_url, SCHEMA, "shim_checkpointer")
        await database.open()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            stack.push_async_callback(redis.aclose)
            for name, work in (
                ("relay", relay.run),
                ("jobs", partial(jobs.run_jobs, settings.redis_url, services.upkeeping, services.indexing)),
                ("silence", partial(jobs.watch_for_silence, services.upkeeping)),
            ):
                await stack.enter_async_context(background.running(name, work))
            yield

    app = create_service_app(
        title="SHIM checkpointer",
        version=version("shim-checkpointer"),
        routers=routers(services, metrics),
        tokens=TokenMaker(secrets.read_or_make(settings.keys_dir / INTERNAL_SECRET), clock),
        registry=registry,
        ready=database.is_ready,
        lifespan=lifespan,
    )
    app.state.services = services
    return app


def make_services(context: base.Context, upkeep: Upkeep, parameters: Declared) -> Services:
    """Return the use cases over a context."""
    signalling = Signalling(context, Foreseeing(context))
    life = SessionLife(context, signalling)
    snapshots = Snapshots()
    return Services(
        context=context,
        life=life,
        appending=Appending(context, signalling),
        signalling=signalling,
        hooking=Hooking(context, life, snapshots),
        recovering=Recovering(context),
        viewing=Viewing(context),
        filing=Filing(context, snapshots),
        searching=Searching(context),
        indexing=Indexing(context, upkeep),
        upkeeping=Upkeeping(context, upkeep, life),
        parameters=_listed(parameters),
    )


def _listed(parameters: Declared) -> ParameterList:
    return ParameterList(
        items=[
            Parameter(
                name=tunable.name,
                value=parameters.value(tunable.name),
                default=tunable.default,
                minimum=tunable.minimum,
                maximum=tunable.maximum,
                unit=tunable.unit,
                meaning=tunable.meaning,
            )
            for tunable in parameters.tunables.values()
        ]
    )

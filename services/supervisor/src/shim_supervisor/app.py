"""The composition root: the only place that picks adapters."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from shim_common import background
from shim_common.db.database import Database
from shim_common.db.outbox import Relay
from shim_common.db.schema import bring_up
from shim_common.kernel import secrets
from shim_common.kernel.clock import Clock, SystemClock
from shim_common.kernel.ids import Ids, TimeOrderedIds
from shim_common.redaction import redact_object
from shim_common.web.app import create_service_app
from shim_common.web.tokens import TokenMaker
from shim_supervisor import jobs
from shim_supervisor.api import Services, routers
from shim_supervisor.metrics import Metrics
from shim_supervisor.ports import Upkeep
from shim_supervisor.settings import SCHEMA, Settings
from shim_supervisor.storage import PostgresStore
from shim_supervisor.storage.upkeep import PostgresUpkeep
from shim_supervisor.usecases.context import Context
from shim_supervisor.usecases.incidents import Incidents
from shim_supervisor.usecases.policies import Policies
from shim_supervisor.usecases.upkeep import Upkeeping
from shim_supervisor.usecases.watching import Watching

INTERNAL_SECRET = "internal.secret"  # noqa: S105 - the name of a file


def create_app(settings: Settings, clock: Clock | None = None, ids: Ids | None = None) -> FastAPI:
    """Return the application; nothing is opened before it starts."""
    clock = clock or SystemClock()
    database = Database(settings.database_url, SCHEMA)
    redis = Redis.from_url(settings.redis_url)
    relay = Relay(database, redis)
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    context = Context(
        store=PostgresStore(database, metrics.count),
        clock=clock,
        ids=ids or TimeOrderedIds(clock),
        redact=redact_object,
        ring=relay.ring,
    )
    services = make_services(context, PostgresUpkeep(database))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await bring_up(settings.database_url, SCHEMA, "shim_supervisor")
        await database.open()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            stack.push_async_callback(redis.aclose)
            for name, work in (("relay", relay.run), ("upkeep", partial(jobs.clean_up, services.upkeeping))):
                await stack.enter_async_context(background.running(name, work))
            yield

    app = create_service_app(
        title="SHIM supervisor",
        version=version("shim-supervisor"),
        routers=routers(services),
        tokens=TokenMaker(secrets.read_or_make(settings.keys_dir / INTERNAL_SECRET), clock),
        registry=registry,
        ready=database.is_ready,
        lifespan=lifespan,
    )
    app.state.services = services
    return app


def make_services(context: Context, upkeep: Upkeep) -> Services:
    """Return the use cases over a context."""
    return Services(
        watching=Watching(context),
        incidents=Incidents(context),
        policies=Policies(context),
        upkeeping=Upkeeping(upkeep, context.clock),
    )

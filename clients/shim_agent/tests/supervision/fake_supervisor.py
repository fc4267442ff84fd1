"""A small supervisor and session service at the HTTP seam, with every body checked against the contract."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from aiohttp import web
from pydantic import BaseModel, ValidationError

from shim_common.contracts.sessions import Session, SessionState
from shim_common.contracts.supervision import (
    Attempt,
    AttemptOutcome,
    AttemptReport,
    EndKind,
    EndReport,
    Incident,
    IncidentState,
    NewWatch,
    Policy,
    PolicyList,
    Step,
    Watch,
    WatchBeat,
    WatchState,
)
from shim_common.processes import is_same_process

NOW = datetime(2026, 11, 20, tzinfo=UTC)


class FakeSupervisor:
    """Holds what was reported; `away` answers everything with 503."""

    def __init__(self) -> None:
        self.watches: list[Watch] = []
        self.beats: list[tuple[str, WatchBeat]] = []
        self.ends: list[EndReport] = []
        self.incidents: list[Incident] = []
        self.attempts: list[AttemptReport] = []
        self.policies: list[Policy] = [Policy()]
        self.sessions: dict[str, Session] = {}
        self.dismissed: list[str] = []
        self.requests: list[tuple[str, str]] = []
        self.away = False
        self.forget_answer = False
        self.url = ""

    def add_session(self, session: str, state: SessionState, reason: str | None = None, project: str = "/p") -> None:
        self.sessions[session] = Session(
            id="ses_1",
            chain_id="ses_1",
            client="claude-code",
            client_session_id=session,
            client_version=None,
            model=None,
            project=project,
            state=state,
            turn_open=False,
            started_at=NOW,
            last_seen_at=NOW,
            ended_at=None,
            end_reason=reason,
            position=0,
            checkpoints=0,
            transcript_bytes=0,
            context_tokens=0,
        )

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.put("/v1/watches", self._put),
                web.post("/v1/watches/{id}/beat", self._beat),
                web.post("/v1/watches/{id}/end", self._end),
                web.get("/v1/incidents/{id}", self._incident),
                web.post("/v1/incidents/{id}/attempts", self._attempt),
                web.post("/v1/incidents/{id}/dismiss", self._dismiss),
                web.get("/v1/policies", self._policies),
                web.get("/v1/sessions/{sid}", self._session),
            ]
        )
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server = site._server
        assert isinstance(server, asyncio.Server)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self.url
        finally:
            await runner.cleanup()

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], "asyncio.Future[web.StreamResponse]"]
    ) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        if self.away:
            return web.Response(status=503)
        try:
            answer = await handler(request)
        except ValidationError as error:
            return web.Response(status=422, text=str(error))
        if self.forget_answer:  # it was done, and the caller does not hear of it
            self.forget_answer = False
            return web.Response(status=503)
        return answer

    async def _put(self, request: web.Request) -> web.Response:
        new = NewWatch.model_validate_json(await request.read())
        for place, known in enumerate(self.watches):
            if known.session == new.session and is_same_process(known.process, new.process):
                self.watches[place] = known.model_copy(update={"managed_by": new.managed_by})
                return _answer(self.watches[place])
        made = Watch(
            **{name: getattr(new, name) for name in NewWatch.model_fields},
            id=f"wch_{len(self.watches) + 1}",
            state=WatchState.RUNNING,
            since=NOW,
            last_seen_at=None,
            ended_at=None,
            rss_bytes=None,
            transcript_bytes=None,
        )
        self.watches.append(made)
        return _answer(made, 201)

    async def _beat(self, request: web.Request) -> web.Response:
        self.beats.append((request.match_info["id"], WatchBeat.model_validate_json(await request.read())))
        return web.Response(status=204)

    async def _end(self, request: web.Request) -> web.Response:
        report = EndReport.model_validate_json(await request.read())
        watch = next(one for one in self.watches if one.id == request.match_info["id"])
        if report.id not in [one.id for one in self.ends]:
            self.ends.append(report)
            if report.end.kind is not EndKind.CLOSED and report.decision.step is not Step.LEAVE:
                self.incidents.append(
                    Incident(
                        id=f"inc_{len(self.incidents) + 1}",
                        watch_id=watch.id,
                        client=watch.client,
                        session=watch.session,
                        project=watch.project,
                        state=IncidentState.OPEN,
                        opened_at=NOW,
                        closed_at=None,
                        end=report.end,
                        decision=report.decision,
                        attempts=[],
                    )
                )
        found = [one for one in self.incidents if one.watch_id == watch.id]
        return _answer(found[0]) if found else web.Response(status=204)

    def _found(self, request: web.Request) -> Incident:
        for one in self.incidents:
            if one.id == request.match_info["id"]:
                return one
        raise web.HTTPNotFound

    async def _incident(self, request: web.Request) -> web.Response:
        return _answer(self._found(request))

    async def _attempt(self, request: web.Request) -> web.Response:
        report = AttemptReport.model_validate_json(await request.read())
        found = self._found(request)
        if report.id not in [one.id for one in self.attempts]:
            self.attempts.append(report)
            attempt = Attempt(**report.model_dump(exclude={"id"}))
            ran = report.outcome is AttemptOutcome.RUNNING
            state = IncidentState.RESUMED if ran else found.state
            place = self.incidents.index(found)
            self.incidents[place] = found.model_copy(update={"attempts": [*found.attempts, attempt], "state": state})
        return _answer(self._found(request))

    async def _dismiss(self, request: web.Request) -> web.Response:
        self.dismissed.append(self._found(request).id)
        return _answer(self._found(request))

    async def _policies(self, _: web.Request) -> web.Response:
        return _answer(PolicyList(items=self.policies))

    async def _session(self, request: web.Request) -> web.Response:
        found = self.sessions.get(request.match_info["sid"])
        if found is None:
            raise web.HTTPNotFound
        return _answer(found)


def _answer(model: BaseModel, status: int = 200) -> web.Response:
    return web.Response(status=status, body=model.model_dump_json().encode(), content_type="application/json")

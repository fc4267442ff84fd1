"""Random walks over the API beside a model of a few lines: whatever is done in any order, the log is the model's."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import httpx
import pytest
from asgi_lifespan import LifespanManager

from shim_checkpointer.api import Services
from shim_checkpointer.app import INTERNAL_SECRET, create_app
from shim_checkpointer.domain import log
from shim_checkpointer.domain.digest import fold
from shim_checkpointer.domain.log import LogEntry
from shim_checkpointer.settings import Settings
from shim_common.contracts.access import Scope
from shim_common.contracts.sessions import EntryKind
from shim_common.db.database import Database
from shim_common.kernel import secrets
from shim_common.kernel.clock import ManualClock
from shim_common.web.tokens import HEADER, Caller, TokenMaker

from ..building import PROJECT, Json, append, at, calls, everything, hook, new_entry, prompt, reply, result, says

STEPS = 60
CHECK_EVERY = 12


class Stack:
    """The service, which may be stopped and started again on the same data."""

    def __init__(self, settings: Settings, clock: ManualClock) -> None:
        self._settings, self._clock = settings, clock
        self._stack = AsyncExitStack()
        self.api: httpx.AsyncClient
        self.services: Services

    async def start(self) -> None:
        app = create_app(self._settings, clock=self._clock)
        await self._stack.enter_async_context(LifespanManager(app, startup_timeout=60, shutdown_timeout=60))
        tokens = TokenMaker(secrets.read(self._settings.keys_dir / INTERNAL_SECRET), self._clock)

        async def trusted(request: httpx.Request) -> None:
            request.headers[HEADER] = tokens.make(Caller("key_test", frozenset(Scope)))

        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://checkpointer", event_hooks={"request": [trusted]}
        )
        self.api = await self._stack.enter_async_context(client)
        self.services = app.state.services

    async def stop(self) -> None:
        await self._stack.aclose()


class Walk:
    """One session and what it should hold."""

    def __init__(self, stack: Stack, clock: ManualClock, seed: int) -> None:
        self.stack, self.clock, self.draw = stack, clock, random.Random(seed)
        self.name = f"walk-{seed}"
        self.begin_anew()

    def begin_anew(self) -> None:
        self.entries: dict[str, LogEntry] = {}
        self.stored_to: dict[str, int] = {}
        self.checkpoints: list[int] = []
        self.last_request: tuple[list[Json], Json | None] = ([], None)
        self.number = 0

    @property
    def log(self) -> list[LogEntry]:
        return list(self.entries.values())

    async def open(self) -> None:
        command = {"client": "claude-code", "client_session_id": self.name, "project": PROJECT}
        await self.stack.api.post("/v1/sessions", json=command)

    # what may be done

    async def append_new(self) -> None:
        await self._append([self._fresh() for _ in range(self.draw.randint(0, 6))], None)

    async def append_some_known(self) -> None:
        known = self.draw.sample(sorted(self.entries), min(len(self.entries), 3))
        requested = [self._known(key) for key in known] + [self._fresh() for _ in range(self.draw.randint(0, 3))]
        self.draw.shuffle(requested)
        await self._append(requested, None)

    async def append_from_a_file(self) -> None:
        file = self.draw.choice(["main.jsonl", "agent-1.jsonl"])
        end = self.stored_to.get(file, 0)
        start = max(0, end + self.draw.choice([0, 0, 0, -40, 60]))
        span = {"file": file, "start": start, "end": start + self.draw.randint(0, 100)}
        overlap = [self._known(key) for key in list(self.entries)[-2:]] if start < end else []
        await self._append([*overlap, *(self._fresh() for _ in range(self.draw.randint(0, 4)))], span)

    async def repeat_the_last_append(self) -> None:
        await self._append(*self.last_request)

    async def checkpoint(self) -> None:
        answer = await self.stack.api.post(f"/v1/sessions/{self.name}/checkpoints", json={})
        assert answer.status_code == 201
        assert answer.json()["position"] == len(self.entries)
        self.checkpoints.append(len(self.entries))

    async def seal(self) -> None:
        await self.stack.services.upkeeping.seal(self.name, whole=self.draw.random() < 0.8)

    async def send_hook(self) -> None:
        event = self.draw.choice(
            ["UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "PreCompact", "SessionEnd", "Notification"]
        )
        fields = {
            "prompt": "Go on",
            "prompt_id": f"p{self.number}",
            "tool_name": "Bash",
            "tool_use_id": f"t{self.number}",
        }
        payload = hook(self.name, **fields, last_assistant_message="Done.")
        answer = await self.stack.api.post(f"/v1/hooks/claude-code/{event}", json=payload)
        assert answer.status_code == 204
        if event == "PreCompact":
            self.checkpoints.append(len(self.entries))

    async def beat(self) -> None:
        beat = {"process": {"pid": 7, "created": 1.0}}
        assert (await self.stack.api.post(f"/v1/sessions/{self.name}/heartbeat", json=beat)).status_code == 204

    async def exit(self) -> None:
        was = (await self.stack.api.get(f"/v1/sessions/{self.name}")).json()
        gone = {"process": {"pid": 7, "created": 1.0}, "observed_at": self.clock.now().isoformat()}
        session = (await self.stack.api.post(f"/v1/sessions/{self.name}/exit", json=gone)).json()
        if was["state"] == "active" and session["state"] == "interrupted":
            self.checkpoints.append(len(self.entries))

    async def resume(self) -> None:
        payload = hook(self.name, source="resume")
        answer = await self.stack.api.post("/v1/hooks/claude-code/SessionStart", json=payload)
        if self.entries:
            assert len(answer.json()["hookSpecificOutput"]["additionalContext"]) <= 10_000

    async def restart(self) -> None:
        await self.stack.stop()
        await self.stack.start()

    async def delete(self) -> None:
        assert (await self.stack.api.delete(f"/v1/sessions/{self.name}")).status_code == 204
        self.begin_anew()
        await self.open()

    # walking

    async def step(self) -> None:
        weighted: dict[Callable[[], Awaitable[None]], int] = {
            self.append_new: 8,
            self.append_some_known: 4,
            self.append_from_a_file: 8,
            self.repeat_the_last_append: 3,
            self.checkpoint: 2,
            self.seal: 4,
            self.send_hook: 4,
            self.beat: 1,
            self.exit: 1,
            self.resume: 1,
            self.restart: 1,
            self.delete: 1,
        }
        self.clock.advance(1)
        (action,) = self.draw.choices(list(weighted), list(weighted.values()))
        await action()
        session = (await self.stack.api.get(f"/v1/sessions/{self.name}")).json()
        assert session["position"] == len(self.entries), action.__name__
        assert session["checkpoints"] == len(self.checkpoints), action.__name__

    async def check(self, database: Database) -> None:
        payloads = [log.encode(entry) for entry in self.log]
        stored = await everything(self.stack.api, self.name)
        assert [one["position"] for one in stored] == list(range(1, len(payloads) + 1))
        assert [(one["key"], one["kind"], one["body"]) for one in stored] == [
            (entry.key, entry.kind.value, entry.body) for entry in self.log
        ]
        assert [one["hash"] for one in stored] == [log.entry_hash(payload).hex() for payload in payloads]
        integrity = (await self.stack.api.get(f"/v1/sessions/{self.name}/integrity")).json()
        assert integrity["verified"] is True
        assert integrity["head"] == log.advance(log.GENESIS, payloads).hex()
        sources = (await self.stack.api.get(f"/v1/sessions/{self.name}/sources")).json()
        assert {one["file"]: one["end"] for one in sources} == self.stored_to
        await self._check_rows(database)
        await self._check_checkpoints(payloads)

    async def _check_rows(self, database: Database) -> None:
        async with database.connection() as connection:
            rows = await connection.fetchval(
                """SELECT (SELECT count(*) FROM entry e WHERE e.session_no = s.no)
                        + (SELECT coalesce(sum(last - first + 1), 0) FROM block b WHERE b.session_no = s.no)
                   FROM session s WHERE s.client_session_id = $1""",
                self.name,
            )
        assert rows == len(self.entries)

    async def _check_checkpoints(self, payloads: list[bytes]) -> None:
        made = (await self.stack.api.get(f"/v1/sessions/{self.name}/checkpoints", params={"limit": 1000})).json()[
            "items"
        ]
        assert [one["position"] for one in reversed(made)] == self.checkpoints
        assert [one["number"] for one in reversed(made)] == list(range(1, len(made) + 1))
        for one in self.draw.sample(made, min(len(made), 4)):
            state = (await self.stack.api.get(f"/v1/checkpoints/{one['id']}")).json()
            digest = fold(log.decode(payload) for payload in payloads[: one["position"]])
            assert state["verified"] is True
            assert one["head"] == log.advance(log.GENESIS, payloads[: one["position"]]).hex()
            assert (state["messages"], state["tool_calls"]) == (digest.messages, digest.tool_calls)
            assert (state["decisions"], state["constraints"]) == (digest.decisions, digest.constraints)
            assert (state["files_edited"], state["task"]["todos"]) == (list(digest.files), digest.todos)
            if one["position"] < len(self.entries):
                assert {call["tool_use_id"] for call in state["pending"]} == set(digest.open_calls)

    # making entries

    async def _append(self, requested: list[Json], span: Json | None) -> None:
        self.last_request = (requested, span)
        finished, known_before = fold(self.log).finished_calls, len(self.entries)
        if span is None or span["end"] > self.stored_to.get(span["file"], 0) or not requested:
            for one in requested:
                self.entries.setdefault(one["key"], _as_logged(one))
        answer = await append(self.stack.api, self.name, *requested, source=span)
        if span is not None:
            self.stored_to[span["file"]] = max(self.stored_to.get(span["file"], 0), span["end"])
            if self.stored_to[span["file"]] == 0:
                del self.stored_to[span["file"]]
        assert answer["appended"] == len(self.entries) - known_before
        assert answer["appended"] + answer["duplicates"] == len(requested)
        if answer["checkpoint_id"]:
            self.checkpoints.append(len(self.entries))
        elif not self.checkpoints:
            assert fold(self.log).finished_calls - finished < 5

    def _known(self, key: str) -> Json:
        entry = self.entries[key]
        return {"key": key, "kind": entry.kind.value, "at": entry.at.isoformat(), "body": entry.body}

    def _fresh(self) -> Json:
        self.number += 1
        number = self.number
        bodies: list[tuple[str, Json]] = [
            ("message", prompt(f"Never do {number}. Then go on.")),
            ("message", reply(says(f"I'll use plan {number}."), message_id=f"msg_{number}")),
            ("message", reply(calls("Edit", f"t{number}", file_path=f"{PROJECT}/f{number % 9}.py"))),
            (
                "message",
                reply(calls("TodoWrite", f"t{number}", todos=[{"content": f"Do {number}", "status": "pending"}])),
            ),
            ("message", result("ok", f"t{number - 1}")),
            ("message", result("Exit 1", f"t{number - 2}", failed=True)),
            ("meta", {"type": "summary", "summary": "ü\u2028🚀", "number": number}),
            ("note", {"text": "x" * self.draw.randint(0, 3000)}),
            ("compaction", {"compactMetadata": {"trigger": "auto", "preTokens": 150_000 + number}}),
        ]
        kind, body = self.draw.choice(bodies)
        return new_entry(f"k{number}", body, kind, seconds=number)


def _as_logged(entry: Json) -> LogEntry:
    seconds = int(entry["key"][1:])
    return LogEntry(entry["key"], EntryKind(entry["kind"]), at() + timedelta(seconds=seconds), entry["body"])


@pytest.fixture
async def stack(settings: Settings, clock: ManualClock) -> AsyncIterator[Stack]:
    running = Stack(settings, clock)
    await running.start()
    yield running
    await running.stop()


@pytest.mark.parametrize("seed", range(6))
async def test_a_random_walk(stack: Stack, clock: ManualClock, database: Database, seed: int) -> None:
    walk = Walk(stack, clock, seed)
    await walk.open()
    for step in range(1, STEPS + 1):
        await walk.step()
        if step % CHECK_EVERY == 0:
            await walk.check(database)


async def test_walks_side_by_side_do_not_meet(stack: Stack, clock: ManualClock, database: Database) -> None:
    walks = [Walk(stack, clock, seed) for seed in range(100, 104)]
    for walk in walks:
        await walk.open()
    order = random.Random(7)
    for _ in range(80):
        await order.choice(walks).step()
    for walk in walks:
        await walk.check(database)

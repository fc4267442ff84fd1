"""Hooks of Claude Code, in the order in which the client sends them, and what is known wherever it is killed."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from shim_common.kernel.clock import ManualClock

from ..building import (
    CALL,
    CLIENT_SESSION,
    PROJECT,
    Json,
    append,
    at,
    calls,
    hook,
    new_entry,
    open_session,
    prompt,
    reply,
    result,
    says,
    send_hook,
)

TASK = "Add a cart. Never touch the payments module."
PROMPT_ID = "2fdd0f09-872a-4eda-bd46-41607c4d23be"
LOST = "[Tool call interrupted: the session ended before this call's result was recorded, so its outcome is unknown.]"
BASH = {"tool_name": "Bash", "tool_input": {"command": "make test"}, "tool_use_id": CALL, "prompt_id": PROMPT_ID}


class Client:
    """Claude Code as SHIM sees it: its hooks, and the lines of its transcript as far as they were written."""

    def __init__(self, api: httpx.AsyncClient, clock: ManualClock) -> None:
        self.api, self.clock = api, clock
        self.lines = 0

    async def hook(self, event: str, **fields: Any) -> httpx.Response:
        self.clock.advance(1)
        return await send_hook(self.api, event, **fields)

    async def line(self, body: Json) -> None:
        """The agent brings a line that was written at this moment."""
        self.lines += 1
        seconds = (self.clock.now() - at()).total_seconds() - 0.1
        await append(self.api, CLIENT_SESSION, new_entry(f"m{self.lines}", body, seconds=seconds))

    async def start(self, source: str = "startup") -> str | None:
        """Start the client; return what the model is told."""
        answer = await self.hook("SessionStart", source=source)
        return str(answer.json()["hookSpecificOutput"]["additionalContext"]) if answer.status_code == 200 else None

    async def ask(self) -> None:
        await self.hook("UserPromptSubmit", prompt=TASK, prompt_id=PROMPT_ID)

    async def killed(self, **about: Any) -> None:
        gone = {"process": {"pid": 77, "created": 1}, "observed_at": self.clock.now().isoformat(), **about}
        answer = await self.api.post(f"/v1/sessions/{CLIENT_SESSION}/exit", json=gone)
        assert answer.status_code == 200

    async def session(self) -> Json:
        return dict((await self.api.get(f"/v1/sessions/{CLIENT_SESSION}")).json())

    async def recovery(self) -> Json:
        return dict((await self.api.get("/v1/recovery", params={"project": PROJECT})).json())


@pytest.fixture
def client(api: httpx.AsyncClient, clock: ManualClock) -> Client:
    return Client(api, clock)


async def test_a_whole_session_in_the_order_of_the_client(client: Client, api: httpx.AsyncClient) -> None:
    failing = {**BASH, "tool_use_id": "toolu_02", "tool_input": {"command": "exit 3"}}
    events: list[tuple[str, Json]] = [
        ("SessionStart", {"source": "startup", "model": "claude-opus-4-8"}),
        ("UserPromptSubmit", {"prompt": TASK, "prompt_id": PROMPT_ID}),
        ("PreToolUse", BASH),
        ("PostToolUse", {**BASH, "tool_response": {"stdout": "ok", "stderr": ""}, "duration_ms": 35}),
        ("PostToolBatch", {"prompt_id": PROMPT_ID, "tool_calls": []}),
        ("PreToolUse", failing),
        ("PostToolUseFailure", {**failing, "error": "Exit code 3\nbad", "is_interrupt": False}),
        ("PostToolBatch", {"prompt_id": PROMPT_ID, "tool_calls": []}),
        ("Notification", {"notification_type": "idle", "message": "Claude is waiting"}),
        ("Stop", {"stop_hook_active": False, "last_assistant_message": "All done.", "prompt_id": PROMPT_ID}),
        ("SessionEnd", {"reason": "other"}),
    ]
    open_turns = []
    for event, fields in events:
        answer = await client.hook(event, **fields)
        assert (answer.status_code, answer.content) == (204, b"")
        open_turns.append((await client.session())["turn_open"])

    session = await client.session()
    assert open_turns == [False, *[True] * 8, False, False]
    assert (session["state"], session["end_reason"], session["client"]) == ("ended", "other", "claude-code")
    assert session["model"] == "claude-opus-4-8"
    assert (await client.recovery())["interrupted"] is False
    found = (await api.get("/v1/sessions", params={"tool_use_id": "toolu_02"})).json()["items"]
    assert [one["client_session_id"] for one in found] == [CLIENT_SESSION]


@pytest.mark.parametrize(
    "event",
    [
        "Setup",
        "SubagentStart",
        "SubagentStop",
        "PermissionDenied",
        "ConfigChange",
        "CwdChanged",
        "SomethingNew",
        "StopFailure",
    ],
)
async def test_events_of_which_little_is_kept(client: Client, event: str) -> None:
    answer = await client.hook(event, agent_id="a1", secret_text="not for us", error="rate_limit")

    assert answer.status_code == 204
    assert (await client.session())["state"] == "active"


async def test_a_first_hook_of_any_kind_opens_the_session(client: Client) -> None:
    await client.hook("PreToolUse", **BASH)

    session = await client.session()
    assert (session["project"], session["turn_open"]) == (PROJECT, True)


# --- killed somewhere ------------------------------------------------------------------------------------------------


async def test_killed_before_the_prompt(client: Client) -> None:
    await client.start()
    await client.killed()

    assert (await client.session())["state"] == "ended"
    assert (await client.recovery())["interrupted"] is False
    assert await client.start() is None


async def test_killed_at_the_prompt_it_is_only_in_the_hook(client: Client) -> None:
    await client.start()
    await client.ask()
    await client.killed()

    recovery = await client.recovery()
    assert (recovery["interrupted"], recovery["confidence"]) == (True, "certain")
    essentials = recovery["bundle"][:2000]
    assert f"Open task: {TASK}" in essentials
    assert "- Never touch the payments module." in essentials
    assert "No tool call was in flight." in essentials


@pytest.mark.parametrize("killed_in_tool", [False, True])
async def test_a_session_without_a_transcript_starts_up_again_with_the_whole_bundle(
    client: Client, *, killed_in_tool: bool
) -> None:
    await client.start()
    await client.ask()
    if killed_in_tool:
        await client.hook("PreToolUse", **BASH)
    await client.killed()

    context = await client.start("startup")

    assert context is not None
    assert f"Open task: {TASK}" in context
    assert ("`make test`" in context) is killed_in_tool
    assert (await client.session())["state"] == "active"


async def in_flight(client: Client, *, logged: bool) -> None:
    """Up to a call that has begun; its lines are in the transcript or not yet."""
    await client.start()
    await client.ask()
    await client.hook("PreToolUse", **BASH)
    if logged:
        await client.line(prompt(TASK, promptId=PROMPT_ID))
        await client.line(reply(calls("Bash", command="make test"), stop_reason="tool_use"))


FINISHED = ("PostToolUse", {"tool_response": {"stdout": "3 passed", "stderr": ""}})
FAILED = ("PostToolUseFailure", {"error": "Exit code 3\nbad"})


@pytest.mark.parametrize("logged", [False, True], ids=["no line", "prompt and call"])
@pytest.mark.parametrize("batch", [False, True], ids=["", "and PostToolBatch"])
@pytest.mark.parametrize(
    ("ending", "outcome", "output", "said"),
    [
        (None, "unknown", None, "UNKNOWN"),
        (FINISHED, "finished", "3 passed", "FINISHED"),
        (FAILED, "failed", "Exit code 3\nbad", "ended with an ERROR"),
    ],
    ids=["in the tool", "PostToolUse", "PostToolUseFailure"],
)
async def test_killed_around_a_call(
    client: Client,
    ending: tuple[str, Json] | None,
    outcome: str,
    output: str | None,
    said: str,
    *,
    logged: bool,
    batch: bool,
) -> None:
    await in_flight(client, logged=logged)
    if ending is not None:
        await client.hook(ending[0], **{**BASH, **ending[1]})
    if batch:
        await client.hook("PostToolBatch", prompt_id=PROMPT_ID, tool_calls=[])
    await client.killed()

    recovery = await client.recovery()
    (call,) = recovery["pending"]
    assert (call["tool_use_id"], call["summary"]) == (CALL, "make test")
    assert (call["outcome"], call["output"]) == (outcome, output)
    assert said in recovery["bundle"][:2000]
    assert recovery["resume"] == ["claude", "--resume", CLIENT_SESSION]

    context = await client.start("resume")
    assert context is not None
    assert said in context[:2000]


@pytest.mark.parametrize("told_by", ["exit", "beat"])
async def test_killed_while_the_tool_runs_on(client: Client, api: httpx.AsyncClient, told_by: str) -> None:
    shell = {"pid": 78, "created": at(3).timestamp(), "command": "/bin/bash -c eval 'make test' < /dev/null"}
    await in_flight(client, logged=True)
    await client.killed(tool_processes=[shell] if told_by == "exit" else [])
    if told_by == "beat":
        await api.post(f"/v1/sessions/{CLIENT_SESSION}/heartbeat", json={"tool_processes": [shell]})

    recovery = await client.recovery()
    assert recovery["pending"][0]["outcome"] == "running"
    assert recovery["pending"][0]["process"] == shell
    assert "STILL RUNNING as process 78" in recovery["bundle"][:2000]

    await api.post(f"/v1/sessions/{CLIENT_SESSION}/heartbeat", json={"tool_processes": []})
    assert (await client.recovery())["pending"][0]["outcome"] == "unknown"


@pytest.mark.parametrize("stand_in", [LOST, "[Tool result missing due to internal error]"])
async def test_the_clients_stand_in_for_a_result_is_no_result(client: Client, stand_in: str) -> None:
    await in_flight(client, logged=True)
    await client.hook(FINISHED[0], **{**BASH, **FINISHED[1]})
    await client.killed()

    await client.line(result(stand_in, failed=True, promptId=PROMPT_ID))
    context = await client.start("resume")

    assert context is not None
    assert "FINISHED" in context
    assert "3 passed" in context


async def test_a_result_in_the_transcript_settles_the_call(client: Client) -> None:
    await in_flight(client, logged=True)
    await client.hook(FINISHED[0], **{**BASH, **FINISHED[1]})
    await client.line(result("3 passed", promptId=PROMPT_ID))
    await client.killed()

    recovery = await client.recovery()
    assert recovery["interrupted"] is True
    assert recovery["pending"] == []
    assert "No tool call was in flight." in recovery["bundle"]


@pytest.mark.parametrize("result_written", [False, True])
async def test_killed_at_stop_the_answer_is_only_in_the_hook(client: Client, *, result_written: bool) -> None:
    await in_flight(client, logged=False)
    await client.hook(FINISHED[0], **{**BASH, **FINISHED[1]})
    await client.hook("Stop", last_assistant_message="The cart is there; 3 tests pass.", prompt_id=PROMPT_ID)
    # the agent catches up after the kill: the prompt and the call were written, the last words never
    await client.line(prompt(TASK, promptId=PROMPT_ID))
    await client.line(reply(calls("Bash", command="make test"), stop_reason="tool_use"))
    if result_written:
        await client.line(result("3 passed", promptId=PROMPT_ID))
    await client.killed()

    session = await client.session()
    recovery = (await client.api.get("/v1/recovery", params={"session": CLIENT_SESSION})).json()
    assert (session["state"], recovery["interrupted"]) == ("ended", False)
    assert "Last words of the assistant: The cart is there; 3 tests pass." in recovery["bundle"]
    assert [call["outcome"] for call in recovery["pending"]] == ([] if result_written else ["finished"])
    context = await client.start("resume")
    assert context is not None
    assert "The cart is there; 3 tests pass." in context


async def test_what_the_log_has_is_not_told_twice(client: Client) -> None:
    await in_flight(client, logged=True)
    await client.hook(FINISHED[0], **{**BASH, **FINISHED[1]})
    await client.line(result("3 passed", promptId=PROMPT_ID))
    await client.line(reply(says("All done."), stop_reason="end_turn", message_id="msg_2"))
    await client.hook("Stop", last_assistant_message="All done.", prompt_id=PROMPT_ID)

    context = await client.start("resume")

    assert context is not None
    assert context.count(TASK) == 1
    assert context.count("All done.") == 1
    assert "No tool call was in flight." in context


async def test_a_later_task_is_the_open_one_although_an_earlier_never_was_written(client: Client) -> None:
    await client.start()
    await client.ask()
    await client.killed()
    await client.start()
    await client.hook("UserPromptSubmit", prompt="Write the docs instead", prompt_id="p2")
    await client.line(prompt("Write the docs instead", promptId="p2"))
    await client.killed()

    bundle = (await client.recovery())["bundle"]
    assert "Open task: Write the docs instead" in bundle[:2000]
    assert TASK in bundle
    assert "Never touch the payments module." in bundle


async def test_calls_of_finished_turns_are_not_in_flight(client: Client) -> None:
    await in_flight(client, logged=True)
    await client.killed()
    await client.start("resume")
    await client.hook("UserPromptSubmit", prompt="Go on", prompt_id="p2")
    await client.line(prompt("Go on", promptId="p2"))
    await client.line(
        reply(says("I looked: nothing was done yet. Done now."), stop_reason="end_turn", message_id="msg_2")
    )
    await client.hook("Stop", last_assistant_message="I looked: nothing was done yet. Done now.", prompt_id="p2")
    await client.hook("UserPromptSubmit", prompt="And the docs", prompt_id="p3")
    await client.killed()

    recovery = await client.recovery()
    assert recovery["pending"] == []
    assert "Open task: And the docs" in recovery["bundle"]


async def test_the_time_of_the_interruption_is_not_that_of_the_resumption(client: Client, clock: ManualClock) -> None:
    await in_flight(client, logged=True)
    stopped = clock.now()
    await client.killed()
    clock.advance(7200)

    context = await client.start("resume")

    assert context is not None
    assert f"It was interrupted at {stopped:%Y-%m-%d %H:%M:%S} UTC." in context


# --- starting --------------------------------------------------------------------------------------------------------


async def test_the_answer_to_a_start_has_the_shape_that_the_client_reads(
    client: Client, api: httpx.AsyncClient
) -> None:
    await in_flight(client, logged=True)
    await client.killed()

    answer = await client.hook("SessionStart", source="resume")

    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert set(document) == {"hookSpecificOutput"}
    assert set(document["hookSpecificOutput"]) == {"hookEventName", "additionalContext"}
    assert document["hookSpecificOutput"]["hookEventName"] == "SessionStart"
    assert len(document["hookSpecificOutput"]["additionalContext"]) <= 10_000


async def test_a_new_session_gets_one_line_and_the_person_is_told(client: Client, api: httpx.AsyncClient) -> None:
    await in_flight(client, logged=True)
    await client.killed()

    answer = await api.post("/v1/hooks/claude-code/SessionStart", json=hook("another", source="startup"))

    document = answer.json()
    context = document["hookSpecificOutput"]["additionalContext"]
    assert CLIENT_SESSION in context
    assert "Add a cart" in context
    assert "shim_check_recovery" in context
    assert "\n" not in context
    assert len(context) < 500
    assert document["systemMessage"].endswith(f"Continue it with: claude --resume {CLIENT_SESSION}")


async def test_nothing_is_said_where_nothing_was_interrupted(client: Client, api: httpx.AsyncClient) -> None:
    await client.start()
    await client.ask()
    elsewhere = {**hook("another", source="startup"), "cwd": "/home/ana/other"}

    for payload in (hook("another", source="startup"), elsewhere, hook("third", source="resume"), hook("fourth")):
        assert (await api.post("/v1/hooks/claude-code/SessionStart", json=payload)).status_code == 204


async def test_an_opened_session_of_which_nothing_is_known_gets_no_bundle(
    client: Client, api: httpx.AsyncClient
) -> None:
    await open_session(api)

    assert await client.start("startup") is None


async def test_a_compaction(client: Client, api: httpx.AsyncClient) -> None:
    await in_flight(client, logged=True)
    await client.hook("PreCompact", trigger="auto", prompt_id=PROMPT_ID)
    checkpoints = (await api.get(f"/v1/sessions/{CLIENT_SESSION}/checkpoints")).json()["items"]
    context = await client.start("compact")
    await client.hook("PostCompact", trigger="auto", compact_summary="A cart is under way.")

    assert [made["trigger"] for made in checkpoints] == ["compaction"]
    assert context is not None
    assert "Its context was compacted at" in context
    assert f"Open task: {TASK}" in context
    assert (await client.session())["turn_open"] is True


async def test_a_resumed_session_is_of_the_same_chain_and_active(client: Client, api: httpx.AsyncClient) -> None:
    await in_flight(client, logged=True)
    await client.killed()
    before = await client.session()

    await client.start("resume")

    after = await client.session()
    assert (before["state"], after["state"]) == ("interrupted", "active")
    assert (after["id"], after["chain_id"], after["end_reason"]) == (before["id"], before["chain_id"], None)
    assert await heard(api, before["id"]) == [
        "session.started",
        "checkpoint.created",
        "session.interrupted",
        "session.resumed",
    ]


async def test_an_ended_session_that_is_resumed_is_heard_of(client: Client, api: httpx.AsyncClient) -> None:
    await client.start()
    await client.ask()
    await client.hook("Stop", last_assistant_message="Done.", prompt_id=PROMPT_ID)
    await client.hook("SessionEnd", reason="prompt_input_exit")
    session = await client.session()
    assert session["state"] == "ended"

    context = await client.start("resume")

    assert context is not None
    assert "It was last active at" in context
    assert (await heard(api, session["id"]))[-2:] == ["session.ended", "session.resumed"]


async def heard(api: httpx.AsyncClient, sid: str) -> list[str]:
    """The types of a session's events, once all of them are numbered."""
    async with asyncio.timeout(20):
        while True:
            found = [one["type"] for one in (await api.get("/v1/events", params={"session": sid})).json()["items"]]
            await asyncio.sleep(0.05)
            again = [one["type"] for one in (await api.get("/v1/events", params={"session": sid})).json()["items"]]
            if found and found == again:
                return found


@pytest.mark.parametrize("ended", [False, True], ids=["", "after SessionEnd(clear)"])
async def test_a_cleared_session_goes_on_in_the_same_chain(api: httpx.AsyncClient, *, ended: bool) -> None:
    await send_hook(api, "SessionStart", 77, source="startup")
    if ended:
        await send_hook(api, "SessionEnd", 77, reason="clear")
    payload = hook("cleared", source="clear")
    await api.post("/v1/hooks/claude-code/SessionStart", json=payload, headers={"x-shim-client-pid": "77"})

    before, after = [(await api.get(f"/v1/sessions/{sid}")).json() for sid in (CLIENT_SESSION, "cleared")]
    assert after["chain_id"] == before["chain_id"]
    assert after["id"] != before["id"]


# --- processes -------------------------------------------------------------------------------------------------------


async def test_a_client_known_by_its_pid_alone_is_found_dead_at_once(client: Client, api: httpx.AsyncClient) -> None:
    await send_hook(api, "SessionStart", 77, source="startup")
    await send_hook(api, "UserPromptSubmit", 77, prompt=TASK)
    assert (await client.session())["process"] == {"pid": 77, "created": 0.0}

    await client.killed(process={"pid": 78, "created": 5.0})
    assert (await client.session())["state"] == "active"
    await client.killed(process={"pid": 77, "created": 1763640000.5})

    assert (await client.session())["state"] == "interrupted"


async def test_a_resumed_client_has_another_process(client: Client, api: httpx.AsyncClient) -> None:
    await send_hook(api, "UserPromptSubmit", 77, prompt=TASK)
    await client.killed()
    await send_hook(api, "SessionStart", 99, source="resume")

    await client.killed()  # the old process is reported once more

    session = await client.session()
    assert (session["state"], session["process"]["pid"]) == ("active", 99)


# --- hooks that were missed ------------------------------------------------------------------------------------------


async def test_a_turn_that_hooks_missed_is_seen_in_the_transcript(client: Client) -> None:
    await client.start()
    await client.ask()
    await client.hook("Stop", last_assistant_message="Done.", prompt_id=PROMPT_ID)
    client.clock.advance(60)  # SHIM is down for a while; then the agent catches up
    await client.line(prompt("And the docs"))
    assert (await client.session())["turn_open"] is True

    client.clock.advance(60)
    await client.line(reply(says("Written."), stop_reason="end_turn"))
    assert (await client.session())["turn_open"] is False


async def test_a_transcript_that_lags_behind_the_hooks_changes_nothing(client: Client) -> None:
    await client.start()
    await client.ask()
    before_stop = (client.clock.now() - at()).total_seconds()
    await client.hook("Stop", last_assistant_message="Done.", prompt_id=PROMPT_ID)
    await append(client.api, CLIENT_SESSION, new_entry("late", prompt(TASK, promptId=PROMPT_ID), seconds=before_stop))

    assert (await client.session())["turn_open"] is False


# --- risky calls -----------------------------------------------------------------------------------------------------

RISKY = {"tool_name": "Bash", "tool_input": {"command": "rm -rf build"}, "tool_use_id": CALL}


async def watched(api: httpx.AsyncClient) -> str:
    """A session that an agent watches."""
    sid = await open_session(api)
    beat = {"process": {"pid": 77, "created": 1763640000.5}}
    assert (await api.post(f"/v1/sessions/{sid}/heartbeat", json=beat)).status_code == 204
    return sid


async def test_a_risky_call_makes_a_checkpoint(api: httpx.AsyncClient) -> None:
    sid = await open_session(api)

    began = time.monotonic()
    await send_hook(api, "PreToolUse", **RISKY)
    assert time.monotonic() - began < 1.5  # nobody would answer: it is not held

    (made,) = (await api.get(f"/v1/sessions/{sid}/checkpoints")).json()["items"]
    assert made["trigger"] == "risky_operation"


async def test_a_risky_call_waits_two_seconds_at_most(api: httpx.AsyncClient) -> None:
    await watched(api)

    began = time.monotonic()
    answer = await send_hook(api, "PreToolUse", **RISKY)

    assert answer.status_code == 204
    assert 1.9 <= time.monotonic() - began < 4


async def test_where_no_snapshot_comes_only_one_call_waits(api: httpx.AsyncClient) -> None:
    sid = await watched(api)
    await send_hook(api, "PreToolUse", **RISKY)

    began = time.monotonic()
    await send_hook(api, "PreToolUse", **{**RISKY, "tool_use_id": "t2"})
    assert time.monotonic() - began < 1.5

    await api.post(f"/v1/sessions/{sid}/snapshots", json={"taken_at": at().isoformat(), "files": []})
    began = time.monotonic()
    await send_hook(api, "PreToolUse", **{**RISKY, "tool_use_id": "t3"})
    assert time.monotonic() - began > 1.9


async def test_a_snapshot_lets_all_risky_calls_go_at_once(api: httpx.AsyncClient) -> None:
    sid = await watched(api)
    held = [asyncio.create_task(send_hook(api, "PreToolUse", **{**RISKY, "tool_use_id": f"t{n}"})) for n in range(3)]
    async with asyncio.timeout(20):
        while len((await api.get(f"/v1/sessions/{sid}/checkpoints")).json()["items"]) < 3:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # the last of them begins to wait
        assert not any(task.done() for task in held)
        began = time.monotonic()
        made = await api.post(f"/v1/sessions/{sid}/snapshots", json={"taken_at": at().isoformat(), "files": []})
        assert made.status_code == 201
        await asyncio.gather(*held)
    assert time.monotonic() - began < 1.5


async def test_a_harmless_call_is_not_held(api: httpx.AsyncClient) -> None:
    sid = await watched(api)

    await send_hook(api, "PreToolUse", **BASH)

    assert (await api.get(f"/v1/sessions/{sid}/checkpoints")).json()["items"] == []


async def test_what_hooks_say_is_redacted(client: Client) -> None:
    secret = "ghp_" + "a1B2" * 9
    await client.hook("UserPromptSubmit", prompt=f"Use the token {secret}", prompt_id=PROMPT_ID)
    await client.hook(
        "PreToolUse", **{**BASH, "tool_input": {"command": f"curl -H 'Authorization: Bearer {secret}' x"}}
    )
    await client.killed()

    recovery = await client.recovery()
    assert secret not in str(recovery)
    assert "[redacted:" in recovery["bundle"]


async def test_codex_tells_the_same_under_its_own_name(api: httpx.AsyncClient) -> None:
    for event, fields in {
        "SessionStart": {"source": "startup"},
        "UserPromptSubmit": {"prompt": "Sort the drawers.", "turn_id": "t"},
        "PreToolUse": {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "call_1"},
    }.items():
        answer = await api.post(f"/v1/hooks/codex/{event}", json=hook("codex-thread", **fields))
        assert answer.status_code in (200, 204), answer.text
    recovery = (await api.get("/v1/recovery", params={"session": "codex-thread"})).json()
    assert recovery["session"]["client"] == "codex"
    assert recovery["resume"] == ["codex", "resume", "codex-thread"]
    assert [call["summary"] for call in recovery["pending"]] == ["ls"]
    assert (await api.post("/v1/hooks/nobody/Stop", json=hook("x"))).status_code in (400, 404, 422)

import asyncio
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from shim_agent.processes.identity import reference
from shim_agent.supervision import claude
from shim_agent.supervision.policies import Policies
from shim_agent.supervision.store import Store
from shim_agent.supervision.tended import Report
from shim_common.contracts.envelope import Event
from shim_common.contracts.sessions import ProcessExit, ProcessRef, Session, SessionState, ToolProcess
from shim_common.contracts.supervision import (
    AttemptOutcome,
    Decision,
    End,
    EndKind,
    EndReport,
    Incident,
    Owner,
    Policy,
    PolicyList,
    Step,
)

from ..clients import StandIn, StandIns
from ..eventually import eventually
from .conftest import Part, Running
from .fake_supervisor import FakeSupervisor
from .sample import S, tended, watch

AUTOMATIC = Policy(name="default", adopted=True, backoff_base_s=0.01, backoff_cap_s=0.02)
LONG_AGO = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def client(stand_ins: StandIns, config_dir: Path) -> StandIn:
    """A client with its record."""
    one = stand_ins.start()
    one.write_record(config_dir, S)
    return one


@pytest.fixture
def sleeper() -> Iterator[ProcessRef]:
    """A process that runs until the test is over."""
    with subprocess.Popen(["sleep", "300"]) as process:
        yield reference(psutil.Process(process.pid))
        process.kill()


def dead(pid: int) -> ProcessRef:
    return ProcessRef(pid=pid, created=1.0)


def end_report(
    process: ProcessRef, kind: EndKind = EndKind.KILLED, step: Step = Step.OFFER, **more: object
) -> EndReport:
    end = End.model_validate({"process": process, "observed_at": datetime.now(UTC), "kind": kind, **more})
    return EndReport(id="rpt_1", end=end, decision=Decision(step=step, why="because"))


def never() -> "asyncio.Future[Session | None]":
    """What the service says that is away for good."""
    return asyncio.get_running_loop().create_future()


async def kill(part: Part, client: StandIn, config_dir: Path, tools: list[ToolProcess] | None = None) -> ProcessRef:
    """Kill a client and hand its end in, as the watch over processes does."""
    ref = reference(client.process)
    client.kill()
    client.popen.wait()
    gone = ProcessExit(process=ref, observed_at=datetime.now(UTC), tool_processes=tools or [])
    await part.supervision.ended("claude-code", config_dir, S, gone, never())
    return ref


def requested(incident: Incident, **data: str | None) -> Event:
    return Event(
        id="evt_1",
        type="restart.requested",
        occurred_at=LONG_AGO,
        source="supervisor",
        subject=incident.id,
        actor="key_1",
        data={"launcher": None, "tools": None, **data},
    )


async def test_a_client_is_watched_from_when_it_is_seen(
    running: Running, service: FakeSupervisor, client: StandIn, config_dir: Path
) -> None:
    async with running() as part:
        ref = reference(client.process)
        part.supervision.seen("claude-code", config_dir, S, ref)
        await eventually(lambda: len(service.beats) > 1)
        (seen,) = service.watches
        assert (seen.session, seen.process, seen.managed_by, seen.started_under_shim) == (S, ref, Owner.AGENT, False)
        assert seen.project == client.process.cwd()
        assert service.beats[-1][1].rss_bytes


async def test_a_killed_client_is_offered_at_once_though_the_service_is_away(
    running: Running, service: FakeSupervisor, client: StandIn, config_dir: Path
) -> None:
    service.away = True
    async with running() as part:
        part.supervision.seen("claude-code", config_dir, S, reference(client.process))
        ref = await kill(part, client, config_dir)
        known = part.store.tended_session(S)
        assert known is not None
        assert known.ended is not None
        assert (known.ended.end.kind, known.ended.decision.step) == (EndKind.KILLED, Step.OFFER)
        assert service.ends == []
        service.away = False
        await eventually(lambda: service.incidents)
    assert [one.end.process for one in service.ends] == [ref]


async def test_what_was_done_is_told_once_though_the_answer_is_lost(
    running: Running, service: FakeSupervisor, client: StandIn, config_dir: Path
) -> None:
    async with running() as part:
        part.supervision.seen("claude-code", config_dir, S, reference(client.process))
        service.forget_answer = True
        await kill(part, client, config_dir)
        await eventually(lambda: part.store.next_report() is None)
    assert len(service.ends) == len(service.incidents) == 1


async def test_an_agent_that_was_killed_tells_what_the_one_before_could_not(
    running: Running, service: FakeSupervisor, home: Path
) -> None:
    Store(home).spool(Report(watch=watch(), end=end_report(watch().process)))
    async with running():
        await eventually(lambda: service.incidents)
    assert Store(home).next_report() is None


@pytest.mark.parametrize(
    ("state", "reason", "kind"),
    [
        (SessionState.ENDED, "other", EndKind.CLOSED),
        (SessionState.ENDED, "prompt_input_exit", EndKind.CLOSED),
        (SessionState.INTERRUPTED, "process_exit", EndKind.LOST),
    ],
)
async def test_without_a_record_the_session_says_whether_it_was_over(
    running: Running, service: FakeSupervisor, stand_ins: StandIns, config_dir: Path,
    state: SessionState, reason: str, kind: EndKind,
) -> None:  # fmt: skip
    client = stand_ins.start()
    service.add_session(S, state, reason)
    async with running() as part:
        part.supervision.seen("claude-code", config_dir, S, reference(client.process))
        gone = ProcessExit(process=reference(client.process), observed_at=datetime.now(UTC))
        client.kill()
        client.popen.wait()
        told = never()
        told.set_result(service.sessions[S])
        await part.supervision.ended("claude-code", config_dir, S, gone, told)
        known = part.store.tended_session(S)
        if reason == "prompt_input_exit":
            await eventually(lambda: part.store.tended_session(S) is None)
            return
        assert known is not None
        assert known.ended is not None
        assert known.ended.end.kind is kind


async def test_another_process_under_the_same_pid_is_another_one(
    running: Running, service: FakeSupervisor, sleeper: ProcessRef, home: Path, config_dir: Path
) -> None:
    before = ProcessRef(pid=sleeper.pid, created=sleeper.created - 1000)
    Store(home).tend(tended(watch(pid=before.pid, created=before.created), config_dir=config_dir))
    service.add_session(S, SessionState.INTERRUPTED)
    async with running():
        await eventually(lambda: service.incidents)
    assert service.ends[0].end.process == before
    assert service.ends[0].decision.step is Step.OFFER


async def test_a_session_in_the_hands_of_a_living_run_is_left_to_it(
    running: Running, service: FakeSupervisor, client: StandIn, sleeper: ProcessRef, home: Path, config_dir: Path
) -> None:
    ref = reference(client.process)
    owned = tended(watch(pid=ref.pid, created=ref.created, managed_by=Owner.RUN, started_under_shim=True), run=sleeper)
    Store(home).tend(owned)
    async with running() as part:
        part.supervision.seen("claude-code", config_dir, S, ref)
        await eventually(lambda: service.beats)
        assert service.watches[0].managed_by is Owner.RUN
        await kill(part, client, config_dir)
        beats = service.requests.count(("GET", "/v1/policies"))
        await asyncio.sleep(0.2)  # several rounds of housekeeping
        assert beats
        assert part.store.tended_session(S) == owned
        assert service.ends == []


async def test_a_session_whose_run_was_killed_is_adopted_and_offered(
    running: Running, service: FakeSupervisor, home: Path, config_dir: Path
) -> None:
    service.add_session(S, SessionState.ENDED, "other")
    Store(home).tend(
        tended(
            watch(managed_by=Owner.RUN, started_under_shim=True),
            run=dead(4_000_001),
            config_dir=config_dir,
        )
    )
    async with running():
        await eventually(lambda: service.incidents)
    (end,) = service.ends
    assert (end.end.kind, end.decision.step) == (EndKind.LOST, Step.OFFER)


async def test_a_run_that_died_while_it_waited_leaves_the_session_on_offer(
    running: Running, service: FakeSupervisor, home: Path
) -> None:
    waiting = tended(watch(managed_by=Owner.RUN, started_under_shim=True), run=dead(4_000_001))
    Store(home).tend(waiting.with_end(end_report(waiting.process, step=Step.RESTART)))
    async with running() as part:
        await eventually(lambda: (known := part.store.tended_session(S)) is not None and known.run is None)
    assert service.ends == [], "its end was told by the run itself"


@pytest.mark.parametrize("by_hand", [True, False])
async def test_after_a_reboot_whatever_nobody_closed_is_offered(
    running: Running, service: FakeSupervisor, home: Path, config_dir: Path, by_hand: bool
) -> None:
    went = tended(watch(managed_by=Owner.RUN, started_under_shim=True), run=dead(4_000_001), config_dir=config_dir)
    Store(home).tend(went.with_end(end_report(went.process, EndKind.CLOSED, Step.LEAVE), by_hand=by_hand))
    async with running(boot="the next boot") as part:
        await eventually(lambda: service.ends)
        known = part.store.tended_session(S)
    assert len(service.incidents) == (not by_hand)
    assert (known is not None) is not by_hand


async def test_an_orderly_end_is_told_when_no_shutdown_followed(
    running: Running, service: FakeSupervisor, home: Path
) -> None:
    went = tended()
    report = end_report(went.process, EndKind.CLOSED, Step.LEAVE)
    old = report.model_copy(
        update={"end": report.end.model_copy(update={"observed_at": datetime.now(UTC) - timedelta(minutes=3)})}
    )
    Store(home).tend(went.with_end(old))
    async with running() as part:
        await eventually(lambda: service.ends)
        assert part.store.tended_session(S) is None
    assert service.incidents == []


async def test_a_cleared_client_leaves_its_session_behind(
    running: Running, service: FakeSupervisor, client: StandIn, config_dir: Path
) -> None:
    other = "00000000-0000-4000-8000-00000000aaaa"
    async with running() as part:
        part.supervision.seen("claude-code", config_dir, S, reference(client.process))
        part.supervision.seen("claude-code", config_dir, other, reference(client.process))
        assert [one.session for one in part.store.tended()] == [other]
        await eventually(lambda: service.ends)
    assert service.ends[0].end.kind is EndKind.CLOSED


async def test_a_person_who_goes_on_by_hand_ends_the_incident(
    running: Running, service: FakeSupervisor, client: StandIn, stand_ins: StandIns, config_dir: Path
) -> None:
    async with running() as part:
        part.supervision.seen("claude-code", config_dir, S, reference(client.process))
        await kill(part, client, config_dir)
        again = stand_ins.start()
        part.supervision.seen("claude-code", config_dir, S, reference(again.process))
        await eventually(lambda: service.attempts)
    assert (service.attempts[0].outcome, service.attempts[0].pid) == (AttemptOutcome.RUNNING, again.pid)


# --- bringing back


async def offered(part: Part, service: FakeSupervisor, client: StandIn, config_dir: Path) -> Incident:
    part.supervision.seen("claude-code", config_dir, S, reference(client.process))
    await kill(part, client, config_dir)
    await eventually(lambda: service.incidents)
    return service.incidents[0]


async def test_what_is_asked_for_is_started_by_the_users_launcher(
    running: Running, service: FakeSupervisor, client: StandIn, stand_ins: StandIns, config_dir: Path, launcher: Path
) -> None:
    async with running() as part:
        incident = await offered(part, service, client, config_dir)
        await part.supervision.requested(requested(incident))
        await eventually(launcher.exists)
        again = stand_ins.start()
        part.supervision.seen("claude-code", config_dir, S, reference(again.process))
        await eventually(lambda: service.attempts)
    assert (service.attempts[0].pid, service.attempts[0].launcher) == (again.pid, "paper")
    launched = launcher.read_text().split("\n")
    assert launched[-4:-2] == ["--session-id", S], "there is no transcript that could be resumed"


async def test_nothing_in_a_request_reaches_a_command(
    running: Running, service: FakeSupervisor, client: StandIn, config_dir: Path, launcher: Path
) -> None:
    async with running(arrival=0.2) as part:
        incident = await offered(part, service, client, config_dir)
        for evil in ({"launcher": "x; touch /tmp/evil"}, {"launcher": "../paper"}, {"tools": "--evil"}):
            await part.supervision.requested(requested(incident, **evil))
        more = requested(incident)
        more.data.update(command=["evil"], project="/", session="--evil", arguments=["--evil"])
        service.incidents[0] = incident.model_copy(update={"project": "/evil"})
        await part.supervision.requested(more)
        await eventually(lambda: service.attempts)
    assert "evil" not in launcher.read_text()
    assert launcher.read_text().count(S) == 1


async def test_a_session_that_this_machine_never_saw_is_not_started(
    running: Running, service: FakeSupervisor, launcher: Path, client: StandIn, config_dir: Path
) -> None:
    async with running() as part:
        incident = await offered(part, service, client, config_dir)
        part.store.let_go(S)
        await part.supervision.requested(requested(incident))
        assert part.store.tended() == []
    assert not launcher.exists()


async def test_a_living_run_is_told_that_it_was_asked(
    running: Running, service: FakeSupervisor, client: StandIn, sleeper: ProcessRef, config_dir: Path, launcher: Path
) -> None:
    async with running() as part:
        incident = await offered(part, service, client, config_dir)
        known = part.store.tended_session(S)
        assert known is not None
        part.store.tend(known.model_copy(update={"run": sleeper}))
        await part.supervision.requested(requested(incident))
        assert part.store.take_asked(S)
    assert not launcher.exists()


async def test_a_client_that_does_not_come_is_a_try_that_failed(
    running: Running, service: FakeSupervisor, client: StandIn, config_dir: Path, launcher: Path
) -> None:
    async with running(arrival=0.1) as part:
        incident = await offered(part, service, client, config_dir)
        await part.supervision.requested(requested(incident))
        await eventually(lambda: service.attempts)
        await part.supervision.requested(requested(incident, launcher="missing"))
        await eventually(lambda: len(service.attempts) == 2)
    assert "no client came within 0.1 s" in service.attempts[0].why
    assert "names no launcher 'missing'" in service.attempts[1].why


@pytest.mark.parametrize(("wanted", "lives"), [("end", False), ("keep", True), (None, True)])
async def test_tools_that_still_run_are_ended_or_kept_and_never_passed_over(
    running: Running, service: FakeSupervisor, client: StandIn, config_dir: Path, launcher: Path,
    wanted: str | None, lives: bool,
) -> None:  # fmt: skip
    tool = ToolProcess(pid=client.tool.pid, created=client.tool.create_time(), command="sleep 300")
    async with running(arrival=0.1) as part:
        part.supervision.seen("claude-code", config_dir, S, reference(client.process))
        await kill(part, client, config_dir, [tool])
        await eventually(lambda: service.incidents)
        await part.supervision.requested(requested(service.incidents[0], tools=wanted))
        await eventually(lambda: service.attempts)
        alive = client.tool.is_running() and client.tool.status() != psutil.STATUS_ZOMBIE
    assert alive is lives


async def test_a_policy_may_have_adopted_sessions_started_without_asking(
    running: Running, service: FakeSupervisor, client: StandIn, stand_ins: StandIns, home: Path, config_dir: Path,
    launcher: Path,
) -> None:  # fmt: skip
    service.policies = [AUTOMATIC]
    Policies(home).keep(PolicyList(items=[AUTOMATIC]))
    async with running() as part:
        part.supervision.seen("claude-code", config_dir, S, reference(client.process))
        await kill(part, client, config_dir)
        await eventually(launcher.exists)
        part.supervision.seen("claude-code", config_dir, S, reference(stand_ins.start().process))
        await eventually(lambda: service.attempts)
    assert service.ends[0].decision.step is Step.RESTART


async def test_tries_that_fail_are_counted_until_a_person_has_to_see_to_it(
    running: Running, service: FakeSupervisor, client: StandIn, home: Path, config_dir: Path, launcher: Path
) -> None:
    policy = AUTOMATIC.model_copy(update={"intensity": 2})
    service.policies = [policy]
    Policies(home).keep(PolicyList(items=[policy]))
    async with running(arrival=0.02) as part:
        part.supervision.seen("claude-code", config_dir, S, reference(client.process))
        await kill(part, client, config_dir)
        await eventually(lambda: len(service.attempts) == 2)
        await asyncio.sleep(0.2)  # long past the longest back-off
    assert len(service.attempts) == 2


async def test_a_wait_goes_on_after_the_agent_was_killed(
    running: Running, service: FakeSupervisor, home: Path, launcher: Path, tmp_path: Path
) -> None:
    one = tended(watch(project=str(tmp_path)))
    report = end_report(one.process, step=Step.RESTART)
    soon = report.decision.model_copy(update={"wait_s": 0.05, "next_try_at": datetime.now(UTC)})
    Store(home).tend(one.with_end(report.model_copy(update={"decision": soon})))
    async with running(arrival=0.05):
        await eventually(launcher.exists)


def test_the_program_that_ran_is_the_program_that_goes_on(tmp_path: Path) -> None:
    own = tmp_path / "2.1.329"
    own.write_text("")
    assert claude.program_of(str(own)) == str(own)
    for other in ("/usr/bin/node", str(tmp_path / "gone"), "", f"{os.sep}usr/bin/nodejs"):
        assert claude.program_of(other) == "claude"

"""`make bench-supervisor`: from `kill -9` to the news and to the replacement, beside other supervisors.

Every supervisor keeps the same program, which writes its pid and the time at its start. SHIM's `shim run` keeps it
under the name of the client and resumes its session; the others start it again. Kills come at random moments of a
stable life. What is not installed here is left out and said so.
"""

import asyncio
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import psutil
import uvloop
from figures import percentile, table, write

from shim_agent.processes.exits import gone
from shim_agent.supervision.policies import Policies
from shim_common.contracts.sessions import ProcessRef
from shim_common.contracts.supervision import End, EndKind, Owner, Policy, PolicyList, Step
from shim_supervision import Facts, History, Now, TokenBucket, decide

DETECTIONS = 200
KILLS = 12
WATCHED = 500
WATCHED_SECONDS = 20.0
LOOPING = 50
LOOPING_SECONDS = 600.0
STABLE = 1.2
"""Seconds that the program lives at least between kills: what supervisord and pm2 take for stable."""
PATIENCE = 20.0
TARGETS = {
    "detection_p99_ms": 10,
    "shim_run_p50_ms": 100,
    "watching_500_cpu_percent": 1,
    "watching_500_mb": 60,
    "looping_50_restarts_per_s": 1,
    "looping_50_escalations_each": 1,
}
MS = 1000.0
PEERS = Path(__file__).parent / "peers" / ".venv-supervisors" / "bin"
SESSION = "4f6c0d5e-8a2b-4c1d-9e3f-5a6b7c8d9e0f"

PROGRAM = """#!/bin/sh
mkdir -p "$CLAUDE_CONFIG_DIR/sessions"
tick=$(cut -d' ' -f22 /proc/$$/stat)
printf '{"pid":%%d,"sessionId":"%s","cwd":"%%s","procStart":"%%s","version":"2.1.329"}' $$ "$PWD" "$tick" \
  > "$CLAUDE_CONFIG_DIR/sessions/$$.json"
echo "$$ $(date +%%s.%%N)" >> "$STARTS"
exec sleep 1000
"""


@dataclass(frozen=True)
class Place:
    """A folder with the program, and what it is told."""

    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / "claude"

    @property
    def environ(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "HOME": str(self.folder),
            "SHIM_HOME": str(self.folder / "shim"),
            "CLAUDE_CONFIG_DIR": str(self.folder / "claude-config"),
            "STARTS": str(self.folder / "starts"),
            "PM2_HOME": str(self.folder / "pm2"),
        }

    def starts(self) -> list[tuple[int, float]]:
        """Return pid and time of every start so far; a line that is being written does not count."""
        lines = (self.folder / "starts").read_text().splitlines(keepends=True)
        whole = [line.split() for line in lines if line.endswith("\n")]
        return [(int(pid), float(at)) for pid, at in whole]


@contextmanager
def place() -> Iterator[Place]:
    """Lend a private folder with the program in it."""
    with tempfile.TemporaryDirectory(prefix="shim-bench-") as name:
        one = Place(Path(name))
        one.program.write_text(PROGRAM % SESSION)
        one.program.chmod(0o755)
        (one.folder / "starts").touch()
        Policies(one.folder / "shim").keep(PolicyList(items=[Policy(stable_s=STABLE / 2)]))
        yield one


def main() -> None:
    """Measure everything, print the tables, write `supervisor.json`."""
    figures: dict[str, float | str] = {}
    detection = uvloop.run(detections())
    figures |= {
        "detection_p50_ms": median(detection) * MS,
        "detection_p99_ms": percentile(detection, 0.99) * MS,
    }
    figures |= watching()
    figures |= looping()
    rows = []
    for name, command in supervisors().items():
        if command is None:
            print(f"left out: {name} is not installed here")
            continue
        took = restarts(command)
        figures[f"{name}_p50_ms"], figures[f"{name}_max_ms"] = median(took) * MS, max(took) * MS
        rows.append((name, str(len(took)), f"{median(took) * MS:.1f}", f"{max(took) * MS:.1f}"))
    print("\nFrom kill -9 to the replacement's first line, in ms:\n")
    table(("supervisor", "kills", "p50", "longest"), rows)
    print()
    table(
        ("figure", "value", "target"),
        [(name, _shown(value), str(TARGETS.get(name, ""))) for name, value in sorted(figures.items())],
    )
    write("supervisor", figures)


async def detections() -> list[float]:
    """Kill processes that are nobody's children here; return the seconds until each kill was heard of."""
    took = []
    for pid in foreign(DETECTIONS):
        process = psutil.Process(pid)
        heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        watching = asyncio.create_task(_hear(process, heard))
        await asyncio.sleep(random.uniform(0.01, 0.03))
        began = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        took.append(await heard - began)
        await watching
    return took


async def _hear(process: psutil.Process, heard: asyncio.Future[float]) -> None:
    await gone(process)
    heard.set_result(time.perf_counter())


def foreign(count: int) -> list[int]:
    """Start processes that live on without their parent; return their pids."""
    loop = f"i=0; while [ $i -lt {count} ]; do sleep 600 >/dev/null 2>&1 & echo $!; i=$((i+1)); done"
    shell = subprocess.run(["setsid", "sh", "-c", loop], capture_output=True, text=True, check=True)
    return [int(line) for line in shell.stdout.split()]


def watching() -> dict[str, float | str]:
    """Watch many processes for a while in a process of its own; return what that costs."""
    pids = foreign(WATCHED)
    try:
        ran = subprocess.run(
            [sys.executable, __file__, "--watch", *map(str, pids)], capture_output=True, text=True, check=True
        )
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    cpu, megabytes = map(float, ran.stdout.split())
    return {"watching_500_cpu_percent": cpu, "watching_500_mb": megabytes}


async def watch(pids: Sequence[int]) -> None:
    """Print the share of a core and the megabytes that watching these processes takes."""
    tasks = [asyncio.create_task(gone(psutil.Process(pid))) for pid in pids]
    await asyncio.sleep(1)
    before = time.process_time()
    await asyncio.sleep(WATCHED_SECONDS)
    cpu = (time.process_time() - before) / WATCHED_SECONDS * 100
    print(f"{cpu:.3f} {psutil.Process().memory_info().rss / 2**20:.1f}")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def looping() -> dict[str, float | str]:
    """Let sessions crash at each start, by the rules and a clock that is moved by hand; count what is done."""
    policy, bucket, draw = Policy(), TokenBucket(), random.Random(1)
    start = datetime(2026, 11, 20, tzinfo=UTC)
    histories = [History() for _ in range(LOOPING)]
    due = dict.fromkeys(range(LOOPING), 0.0)
    restarts_, escalations = 0, [0] * LOOPING
    while (next_ := min(due, key=lambda one: due[one])) is not None and due[next_] < LOOPING_SECONDS:
        at = due[next_]
        now = Now(wall=start + timedelta(seconds=at), monotonic=at)
        granted, wait = bucket.take(now) if at > 0 else (True, 0.0)
        if not granted:
            due[next_] = at + wait
            continue
        restarts_ += at > 0
        end = End(process=ProcessRef(pid=7, created=1.0), observed_at=now.wall, kind=EndKind.FAILED, exit_code=1)
        facts = Facts(managed_by=Owner.RUN, decider=Owner.RUN, started_under_shim=True, lived_s=0.1)
        decision, histories[next_] = decide(policy, histories[next_], end, facts=facts, now=now, draw=draw.random())
        escalations[next_] += decision.step is Step.ESCALATE
        due[next_] = at + 0.1 + decision.wait_s
    return {
        "looping_50_restarts_per_s": restarts_ / LOOPING_SECONDS,
        "looping_50_escalations_each": max(escalations),
        "looping_50_sessions_escalated": float(sum(one == 1 for one in escalations)),
        "looping_breaker_recovers": recovers(policy),
    }


def recovers(policy: Policy) -> str:
    """Say whether a session that was given up comes back by itself once it stays up."""
    history, at, steps = History(), 0.0, []
    for lived in [*[0.1] * (policy.intensity + 1), policy.stable_s + 1, 0.1]:
        now = Now(wall=datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=at), monotonic=at)
        end = End(process=ProcessRef(pid=7, created=1.0), observed_at=now.wall, kind=EndKind.FAILED, exit_code=1)
        facts = Facts(managed_by=Owner.RUN, decider=Owner.RUN, started_under_shim=True, lived_s=lived)
        decision, history = decide(policy, history, end, facts=facts, now=now, draw=0.5)
        steps.append(decision.step)
        at += decision.wait_s + lived
    opened, after = steps[policy.intensity], steps[policy.intensity + 1 :]
    return "yes" if opened is Step.ESCALATE and set(after) == {Step.RESTART} else f"no: {steps}"


def supervisors() -> dict[str, Callable[[Place], Sequence[str]] | None]:
    """Return the command of each supervisor in a place; None where it is not installed."""

    def supervisord(where: Place) -> Sequence[str]:
        config = where.folder / "supervisord.conf"
        config.write_text(
            f"[supervisord]\nnodaemon=true\nlogfile={where.folder}/log\npidfile={where.folder}/pid\n"
            f"[program:x]\ncommand={where.program}\nautorestart=true\nstartsecs=1\n"
        )
        return [str(PEERS / "supervisord"), "-c", str(config)]

    def circus(where: Place) -> Sequence[str]:
        config = where.folder / "circus.ini"
        sockets = f"endpoint=ipc://{where.folder}/e\npubsub_endpoint=ipc://{where.folder}/p\n"
        config.write_text(f"[circus]\n{sockets}[watcher:x]\ncmd={where.program}\ncopy_env=True\n")
        return [str(PEERS / "circusd"), str(config)]

    def runit(where: Place) -> Sequence[str]:
        (where.folder / "service").mkdir()
        shutil.copy(where.program, where.folder / "service" / "run")
        return ["runsv", str(where.folder / "service")]

    def pm2(where: Place) -> Sequence[str]:
        return [str(_pm2), "start", str(where.program), "--interpreter", "none", "--name", "x", "--no-daemon"]

    _pm2 = Path(__file__).parent / "peers" / "node_modules" / ".bin" / "pm2"
    shim = Path(sys.executable).parent / "shim"
    return {
        "shim_run": lambda where: [str(shim), "run", "--", str(where.program)],
        "supervisord": supervisord if (PEERS / "supervisord").exists() else None,
        "circus": circus if (PEERS / "circusd").exists() else None,
        "runit": runit if shutil.which("runsv") else None,
        "pm2": pm2 if _pm2.exists() else None,
    }


def restarts(command: Callable[[Place], Sequence[str]]) -> list[float]:
    """Kill the program again and again; return the seconds until each replacement wrote its first line."""
    with place() as where:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        keeper = subprocess.Popen(command(where), env=where.environ, cwd=where.folder, **quiet)
        try:
            return [_kill_one(where) for _ in range(KILLS)]
        finally:
            keeper.terminate()
            with suppress(subprocess.TimeoutExpired):
                keeper.wait(10)
            keeper.kill()
            for pid, _ in where.starts()[-1:]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _kill_one(where: Place) -> float:
    _until(lambda: bool(where.starts()))
    time.sleep(STABLE + random.random())
    known = where.starts()
    killed = time.time()
    os.kill(known[-1][0], signal.SIGKILL)
    _until(lambda: len(where.starts()) > len(known))
    return where.starts()[-1][1] - killed


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the program was not started again")
        time.sleep(0.002)


def _shown(value: float | str) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    if sys.argv[1:2] == ["--watch"]:
        uvloop.run(watch([int(pid) for pid in sys.argv[2:]]))
    else:
        main()

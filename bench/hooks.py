"""`make bench-hooks`: what SHIM's hooks cost the real client, beside the same hooks and a server that just says 204.

    python bench/hooks.py [ROUNDS]

A turn with some tool calls is played against a scripted API on loopback, by each supported version of the client, in
several ways that take turns (A B C A B C ...), so that the machine's moods fall on all of them. Measured are the
client's own delays: from its start to its first request, between the first request and the last, from there to its
exit. Figures are medians of the differences within a round, in milliseconds. A client's start varies by far more than
SessionStart takes, so its command is run by itself, too, as the client runs it.
"""

import asyncio
import json
import sys
import tempfile
import time
import uuid
from asyncio.subprocess import DEVNULL, PIPE, create_subprocess_exec
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from figures import skip, table, write

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "client"))

from harness.client import Client, Home
from harness.connections import Connections
from harness.fake_api import FakeApi
from harness.hook_sink import HookSink
from harness.install import NEWEST, OLD, ClientUnavailable, Installation, install
from harness.script import bash, calls, says
from harness.stack import Stack, running_stack
from turn import ALONE

from shim_common.testing.private_home import enter_private_home

ROUNDS = 11
TOOLS = 10
EVENTS = 2 * TOOLS
"""Hooks between the first and the last request: one before and one after each tool."""
AWAY_ROUNDS = 3
COMMANDS = 40
"""Times that SessionStart's command is run by itself."""
TARGETS = {
    "event_above_204_ms": 10,
    "session_start_ms": 15,
    "session_start_command_ms": 15,
    "start_while_hung_ms": 500,
    "start_while_down_ms": 500,
}
MS = 1000.0


@dataclass(frozen=True)
class Way:
    """One way to set the client up."""

    config: Path
    flags: tuple[str, ...] = (ALONE,)


@dataclass(frozen=True)
class Delays:
    """Milliseconds from the start to the first request, from there to the last, and from there to the exit."""

    start: float
    turn: float
    end: float


@dataclass(frozen=True)
class Bench:
    """A client to be measured, and the folder for what it leaves."""

    installation: Installation
    root: Path

    def way(self, name: str, settings: Mapping[str, object]) -> Way:
        """Return a way with these settings."""
        config = self.root / name
        config.mkdir()
        (config / "settings.json").write_text(json.dumps(settings))
        return Way(config)

    async def rounds(self, ways: Mapping[str, Way], number: int) -> list[dict[str, Delays]]:
        """Play the turn in each way, so many times; one round before that is not counted."""
        return [{name: await self.play(way) for name, way in ways.items()} for _ in range(number + 1)][1:]

    async def play(self, way: Way) -> Delays:
        """Play one turn."""
        home = Home.below(Path(tempfile.mkdtemp(dir=self.root)), way.config)
        began = time.monotonic()
        async with FakeApi([*(calls(bash("true")) for _ in range(TOOLS)), says("Done.")]) as api:
            client = Client(self.installation, home, api.url)
            try:
                started = time.monotonic() - began
                run = await client.start("please", *way.flags)
                await run.wait()
                ended = time.monotonic() - began
            finally:
                await client.end()
            first, last = (await api.step(1)).at, (await api.step(TOOLS + 1)).at
        return Delays((first - started) * MS, (last - first) * MS, (ended - last) * MS)


def main() -> None:
    """Measure, print and write."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    try:
        installations = [install(NEWEST), install(OLD)]
    except ClientUnavailable as missing:
        skip(str(missing))
    private = enter_private_home()
    figures: dict[str, float | str] = {}
    with private, running_stack() as stack:
        for installation in installations:
            figures |= asyncio.run(measure(stack, installation, Path(private.name), rounds))
    write("hooks", figures)


async def measure(stack: Stack, installation: Installation, private: Path, rounds: int) -> dict[str, float | str]:
    """Measure one version of the client; return its figures by name."""
    root = private / installation.version
    root.mkdir()
    bench, connections = Bench(installation, root), Connections(stack, root)
    shim = Way(connections.config(installation))
    none, start = bench.way("none", {}), bench.way("start", start_alone(shim.config))
    async with HookSink() as sink:
        at_once = Way(connections.config(installation, sink.origin))
        ways = {"none": none, "204": at_once, "shim": shim, "start alone": start, "with MCP": Way(shim.config, ())}
        played = await bench.rounds(ways, rounds)
        commands = {"shim": await session_start(shim.config), "204": await session_start(at_once.config)}
    pair = {"none": none, "start alone": start}
    with stack.hung():
        hung = await bench.rounds(pair, AWAY_ROUNDS)
    stack.down()
    down = await bench.rounds(pair, AWAY_ROUNDS)
    stack.up()

    def above(base: str, name: str, part: Callable[[Delays], float], of: Iterable[dict[str, Delays]] = played) -> float:
        return median(part(one[name]) - part(one[base]) for one in of)

    figures = {
        "event_above_204_ms": above("204", "shim", lambda one: one.turn) / EVENTS,
        "event_above_none_ms": above("none", "shim", lambda one: one.turn) / EVENTS,
        "event_204_above_none_ms": above("none", "204", lambda one: one.turn) / EVENTS,
        "session_start_ms": above("none", "start alone", lambda one: one.start),
        "session_start_command_ms": commands["shim"],
        "session_start_command_204_ms": commands["204"],
        "stop_and_session_end_above_204_ms": above("204", "shim", lambda one: one.end),
        "start_with_mcp_ms": above("shim", "with MCP", lambda one: one.start),
        "start_while_hung_ms": above("none", "start alone", lambda one: one.start, hung),
        "start_while_down_ms": above("none", "start alone", lambda one: one.start, down),
    }
    show(installation, figures, played)
    return {f"{installation.version} {name}": round(value, 2) for name, value in figures.items()}


async def session_start(config: Path) -> float:
    """Run the command of SessionStart as the client does, for new sessions; return its median milliseconds."""
    command = json.loads((config / "settings.json").read_text())["hooks"]["SessionStart"][0]["hooks"][0]["command"]
    took: list[float] = []
    for _ in range(COMMANDS):
        about = {"session_id": str(uuid.uuid4()), "cwd": str(config), "source": "startup", "model": "claude-opus-5-5"}
        began = time.monotonic()
        shell = await create_subprocess_exec("sh", "-c", command, stdin=PIPE, stdout=DEVNULL)
        await shell.communicate(json.dumps({"hook_event_name": "SessionStart", **about}).encode())
        took.append((time.monotonic() - began) * MS)
    return median(took)


def start_alone(config: Path) -> dict[str, object]:
    """Return the settings of a connected client with no hook but that of its start."""
    hooks = json.loads((config / "settings.json").read_text())["hooks"]
    return {"hooks": {"SessionStart": hooks["SessionStart"]}}


def show(installation: Installation, figures: Mapping[str, float], played: list[dict[str, Delays]]) -> None:
    """Print what one version was measured to do."""
    print(f"\n## Claude Code {installation.version}, {len(played)} rounds, {TOOLS} tools a turn\n")
    table(
        ["way", "start ms", "turn ms", "end ms"],
        [
            [name, *(f"{median(getattr(one[name], part) for one in played):.0f}" for part in ("start", "turn", "end"))]
            for name in played[0]
        ],
    )
    print()
    table(
        ["figure", "ms", "target"],
        [
            [
                name.removesuffix("_ms").replace("_", " "),
                f"{value:.1f}",
                f"<= {TARGETS[name]}" if name in TARGETS else "",
            ]
            for name, value in figures.items()
        ],
    )


if __name__ == "__main__":
    main()

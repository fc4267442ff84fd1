"""Make the recording that ships with the product: a session of the real client, killed in the middle of a tool.

    python tests/client/record_webshop.py [OUTPUT_FOLDER]

The newest client works through `webshop_story` in a fresh copy of `webshop/` below /tmp/demo, a neutral place, against
the scripted API on loopback. It is killed with SIGKILL while its last call runs. Two files are written:

`webshop.jsonl`        the transcript. Lines of kinds that carry no conversation are left out (the client's own system
                       prompt, its environment, its records of requests), and pointers to them lead past them;
                       all else is as the client wrote it.
`webshop.hooks.jsonl`  the hooks in the order of arrival: `received_at` in seconds since the first, and `payload`.

A run takes about a minute, most of it the assistant's thinking time, so that the times are believable.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from harness.client import Client, Home, Run
from harness.eventually import eventually
from harness.fake_api import FakeApi
from harness.hook_sink import HookSink
from harness.install import NEWEST, install
from harness.settings import all_hooks
from webshop_story import FIRST_PROMPT, LAST_COMMAND, SECOND_PROMPT, TOOLS, Plot

HERE = Path(__file__).parent
OUTPUT = HERE.parents[1] / "clients/shim_cli/src/shim_cli/recordings"
PLACE = Path("/tmp/demo")
SESSION = "5e551043-0000-4000-8000-7765627368f0"
PACE = 1.3
"""Seconds of thinking before each answer."""
LONGEST_TURN = 120.0
"""Seconds; the first turn has about 30 answers."""

POINTERS = {"parentUuid", "leafUuid"}
BOOKKEEPING = {
    "api-request",
    "api-request-blob",
    "api-request-shape",
    "atis-latch",
    "attachment",
    "queue-operation",
    "tools-used",
}
"""Kinds of lines that hold the client's own prompt, its environment and its requests."""

Json = dict[str, Any]


def main() -> None:
    """Record and write the two files."""
    if PLACE.exists():
        sys.exit(f"{PLACE} is in use; remove it first")
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else OUTPUT
    try:
        transcript, hooks = asyncio.run(record())
    finally:
        shutil.rmtree(PLACE, ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)
    (output / "webshop.jsonl").write_text("".join(line + "\n" for line in without_noise(transcript)))
    (output / "webshop.hooks.jsonl").write_text("".join(json.dumps(hook) + "\n" for hook in hooks))


async def record() -> tuple[list[str], list[Json]]:
    """Run the session; return the transcript's lines and the hooks."""
    home = fresh_home()
    plot = Plot(home.project, PACE)
    async with FakeApi([*plot.first_turn(), *plot.second_turn()], seed=SESSION) as api, HookSink() as sink:
        home.write_settings(all_hooks(sink.url))
        client = Client(install(NEWEST), home, api.url)
        try:
            run = await client.converse("--tools", TOOLS, session_id=SESSION)
            await play(run)
            transcript = home.transcript(SESSION)
            lines = transcript.read_text().splitlines() if transcript else []
        finally:
            await client.end()
        start = sink.received[0].at
        return lines, [{"received_at": round(h.at - start, 3), "payload": h.payload} for h in sink.received]


async def play(run: Run) -> None:
    """Give the two prompts and kill the client in its last call, once that is in the transcript."""
    run.events.patience = LONGEST_TURN
    await run.say(FIRST_PROMPT)
    await run.events.first(lambda event: event.get("type") == "result")
    await asyncio.sleep(4 * PACE)  # the user reads
    await run.say(SECOND_PROMPT)
    await run.events.first(lambda event: LAST_COMMAND in json.dumps(event))
    await eventually(lambda: run.said[-1] == "tool_use")
    await asyncio.sleep(2 * PACE)  # the tests pass, the soak test runs
    await run.kill()


def fresh_home() -> Home:
    """Return a home below PLACE with a copy of the webshop, under version control."""
    home = Home(PLACE / "home", PLACE / "home/.claude", PLACE / "tmp", PLACE / "webshop")
    for folder in (home.config, home.temporary):
        folder.mkdir(parents=True)
    shutil.copytree(HERE / "webshop", home.project, ignore=shutil.ignore_patterns("ruff.toml", "__pycache__"))
    identity = ["-c", "user.name=Shop Developer", "-c", "user.email=dev@example.com"]
    for command in (["init", "--quiet", "-b", "main"], ["add", "."], ["commit", "--quiet", "-m", "A small shop"]):
        subprocess.run(["git", *identity, *command], cwd=home.project, check=True, env=home.environment())
    return home


def without_noise(lines: list[str]) -> list[str]:
    """Return the lines that carry the conversation; where one points at a line left out, it now points past it."""
    passed: dict[str, str | None] = {}
    kept = []
    for line in lines:
        entry = json.loads(line)
        for key in POINTERS & entry.keys():
            target = entry[key]
            while target in passed:
                target = passed[target]
            line = line.replace(f'"{key}":{json.dumps(entry[key])}', f'"{key}":{json.dumps(target)}', 1)
        if not is_noise(entry):
            kept.append(line)
        elif "uuid" in entry:
            passed[entry["uuid"]] = json.loads(line)["parentUuid"]
    return kept


def is_noise(entry: Json) -> bool:
    """Say whether a transcript line is the client's own bookkeeping."""
    return entry["type"] in BOOKKEEPING


if __name__ == "__main__":
    main()

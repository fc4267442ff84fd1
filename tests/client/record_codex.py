"""Records the rollouts that the tests of `shim_transcripts` read: the real Codex against the scripted API.

usage: python record_codex.py FOLDER     fetches Codex if it is not in the cache; the network is loopback otherwise

The client's instructions and the paths of this machine are taken out; nothing else is changed.
"""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from harness.codex import FLAGS, Codex, install_codex, shell
from harness.codex_api import CodexApi
from harness.eventually import eventually
from harness.script import calls, says

PROMPT = "Sort the drawers of the workshop; never throw anything away."
LONG = ("base_instructions", "replacement_history")


async def record(target: Path) -> None:
    """Write `turn.jsonl` (a whole turn), `compacted.jsonl` and `killed.jsonl` into the folder."""
    with tempfile.TemporaryDirectory() as folder:
        codex = Codex(install_codex(), Path(folder))
        async with CodexApi() as api:
            codex.settle(api.url)
            whole = [
                calls(shell("echo forty screws"), text="First I look."),
                calls(shell("echo the drawer is stuck; exit 3")),
                says("The drawers are sorted."),
            ]
            api.play(whole)
            turn = await _finished(codex, *FLAGS, PROMPT)
            _keep(codex, turn, target / "turn.jsonl")
            api.play([*whole[:1], says("Forty screws were found."), says("The drawers are sorted.")])
            compacted = await _finished(codex, *FLAGS, "-c", "model_auto_compact_token_limit=1010", PROMPT)
            _keep(codex, compacted, target / "compacted.jsonl")
            os.mkfifo(codex.project / "gate")
            api.play([calls(shell("cat gate"), text="I wait for the gate.")])
            run = await codex.start(*FLAGS, PROMPT)
            killed = await run.known()
            await run.until_running("cat")
            # Figures are written right after the call.
            await eventually(lambda: "token_usage_record" in _rollout(codex, killed).read_text())
            await run.kill()
            _keep(codex, killed, target / "killed.jsonl")


async def _finished(codex: Codex, *arguments: str) -> str:
    run = await codex.start(*arguments)
    thread = await run.known()
    await run.wait()
    return thread


def _rollout(codex: Codex, thread: str) -> Path:
    return next(codex.config_dir.glob(f"sessions/*/*/*/rollout-*-{thread}.jsonl"))


def _keep(codex: Codex, thread: str, path: Path) -> None:
    lines = [json.loads(line) for line in _rollout(codex, thread).read_text().splitlines()]
    text = "".join(json.dumps(_short(line), separators=(",", ":")) + "\n" for line in lines)
    path.write_text(text.replace(str(codex.root), "/home/ana"))


def _short(line: dict) -> dict:  # type: ignore[type-arg]
    payload = line["payload"]
    for name in LONG:
        if payload.get(name):
            payload[name] = [] if isinstance(payload[name], list) else {"text": "..."}
    if payload.get("role") == "developer":
        payload["content"] = [{"type": "input_text", "text": "..."}]
    if line["type"] == "world_state":
        payload["state"] = {}
    return line


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1])))

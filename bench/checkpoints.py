"""`make bench-checkpoints`: bytes and latency per checkpoint, beside LangGraph's Postgres saver, on real sessions.

One checkpoint per tool result, the same Postgres for all. Bytes are what Postgres reports for the relations with their
indexes after VACUUM. The yardstick for bytes is the whole session's messages under `xz -9`.
"""

import json
import lzma
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import orjson
import uvloop
from figures import exponent, percentile, skip, table, write
from sessions import LARGE, TRANSCRIPTS, Batch, every, load, messages, of_length
from stores import Stores, door, stores

from shim_checkpointer.app import create_app
from shim_checkpointer.settings import SCHEMA, Settings
from shim_common.contracts.sessions import AppendEntries, NewSession, SourceSpan

LENGTHS = (55, 110, 221, 427, 1000, 2000, 5000)
PEER_LENGTHS = {"default": (55, 110, 221, 427), "delta": (55, 110, 221, 427, 1000)}
"""The default saver keeps the whole channel at every step: 5,000 would be some 70 GB."""
MESSAGE_TABLES = ("entry", "block")
_ACTOR = "bench"


@dataclass(frozen=True)
class Ours:
    """What one run of ours gave. Sizes in bytes, times in seconds."""

    bytes: int
    per_checkpoint: float
    puts: list[float]
    bundles: list[float]


def commands(batches: Sequence[Batch], file: str) -> list[AppendEntries]:
    """Return an append for each batch, as the agent would send them."""
    made, offset = [], 0
    for batch in batches:
        end = offset + sum(len(entry.model_dump_json()) for entry in batch)
        made.append(AppendEntries(entries=batch, source=SourceSpan(file=file, start=offset, end=end)))
        offset = end
    return made


def xz(batches: Sequence[Batch]) -> int:
    """Return the size of all messages under `xz -9`, in one stream."""
    lines = [orjson.dumps(message) for batch in messages(list(batches)) for message in batch]
    return len(lzma.compress(b"\n".join(lines), preset=9))


async def measure(own: Stores, url: str, sessions: Sequence[Sequence[Batch]], *, seal: bool) -> Ours:
    """Store sessions in process, one after the other, sealed when they are over or not; return what it took."""
    settings = Settings(
        home=own.home / "measured",
        database_url=url,
        redis_url=own.redis_url,
        parameters={"checkpoint_every": 1, "seal_mib": 64},
    )
    app = create_app(settings)
    puts: list[float] = []
    bundles: list[float] = []
    clock = time.perf_counter
    async with app.router.lifespan_context(app):
        services = app.state.services
        for number, batches in enumerate(sessions):
            sid = f"bench-{number}"
            await services.life.open(NewSession(client=_ACTOR, client_session_id=sid, project="/bench"), _ACTOR)
            for command in commands(batches, sid):
                start = clock()
                await services.appending.append(sid, command, _ACTOR)
                puts.append(clock() - start)
            for _ in range(40):
                start = clock()
                await services.recovering.recovery(project=None, sid=sid)
                bundles.append(clock() - start)
            if seal:
                await services.upkeeping.seal(sid, whole=True)
                await size(url, MESSAGE_TABLES)
            if not (await services.viewing.integrity(sid)).verified:
                raise SystemExit(f"the log of {sid} is not what was stored")
        bytes_ = await size(url, MESSAGE_TABLES)
        checkpoints = await size(url, ("checkpoint",))
    return Ours(bytes_, checkpoints / len(puts), puts, bundles)


async def size(url: str, tables: Sequence[str]) -> int:
    """Return the bytes of tables with their indexes, after VACUUM."""
    connection = await asyncpg.connect(url)
    try:
        total = 0
        for name in tables:
            await connection.execute(f"VACUUM {SCHEMA}.{name}")
            total += await connection.fetchval("SELECT pg_total_relation_size($1::regclass)", f"{SCHEMA}.{name}")
        return total
    finally:
        await connection.close()


def over_http(own: Stores, url: str, batches: Sequence[Batch]) -> tuple[list[float], list[float]]:
    """Store a session through gateway and HTTP; return seconds per put and per bundle."""
    with door(own, url, {"checkpoint_every": 1}) as way_in:
        opened = {"client": _ACTOR, "client_session_id": "http", "project": "/bench"}
        way_in.call("POST", "/v1/sessions", orjson.dumps(opened))
        bodies = [command.model_dump_json().encode() for command in commands(batches, "http")]
        puts = [way_in.call("POST", "/v1/sessions/http/entries", body)[0] for body in bodies]
        bundles = [way_in.call("GET", "/v1/recovery?session=http")[0] for _ in range(60)]
    return puts, bundles


def peer(own: Stores, mode: str, batches: Sequence[Batch]) -> tuple[int, list[float]]:
    """Run LangGraph's saver in its own environment; return bytes and seconds per put."""
    python = Path(__file__).parent / "peers" / ".venv" / "bin" / "python"
    if not python.exists():
        skip("the peers are not installed; `make bench-checkpoints` does it")
    with own.database() as url, tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(orjson.dumps(messages(list(batches))))
        file.flush()
        script = Path(__file__).parent / "peers" / "langgraph_saver.py"
        ran = subprocess.run([python, script, url, mode, file.name], capture_output=True, check=False)
    if ran.returncode:
        raise SystemExit(f"the peer failed: {ran.stderr.decode()[-2000:]}")
    result = json.loads(ran.stdout)
    return result["bytes"], result["puts"]


def main() -> None:
    """Measure everything, print the tables, write `checkpoints.json`."""
    if not all((TRANSCRIPTS / name).exists() for name in LARGE):
        skip(f"the recorded sessions are not in {TRANSCRIPTS}")
    quick = "--quick" in sys.argv
    lengths = LENGTHS[:4] if quick else LENGTHS
    figures: dict[str, float | str] = {}
    with stores() as own:
        _all_sessions(own, figures, quick=quick)
        rows = _lengths(own, lengths, figures)
        _peers(own, quick=quick, figures=figures, rows=rows)
        _http(own, figures)
    print("\nGrowth with length (one session; beyond 427 checkpoints salted copies), put times in ms:\n")
    table(("store", "checkpoints", "MB", "p50", "p95", "p95 first tenth", "p95 last tenth"), rows)
    print()
    table(
        ("figure", "value"),
        [(name, f"{value:.3g}" if isinstance(value, float) else str(value)) for name, value in sorted(figures.items())],
    )
    write("checkpoints", figures)


def _all_sessions(own: Stores, figures: dict[str, float | str], *, quick: bool) -> None:
    paths = every()[:: 6 if quick else 1]
    recorded = [load(path).batches for path in paths]
    recorded = [batches for batches in recorded if batches]
    yardstick = sum(xz(batches) for batches in recorded)
    with own.database() as url:
        fresh = uvloop.run(measure(own, url, recorded, seal=False))
    with own.database() as url:
        ours = uvloop.run(measure(own, url, recorded, seal=True))
    figures["sessions"] = len(recorded)
    figures["bytes_fresh_over_xz"] = fresh.bytes / yardstick
    figures["bytes_sealed_over_xz"] = ours.bytes / yardstick
    figures["checkpoint_overhead_bytes"] = ours.per_checkpoint
    figures["put_p95_ms_in_process"] = percentile(ours.puts, 0.95) * 1000
    figures["bundle_p95_ms_in_process"] = percentile(ours.bundles, 0.95) * 1000


def _lengths(own: Stores, lengths: Sequence[int], figures: dict[str, float | str]) -> list[list[str]]:
    rows, points = [], []
    for length in lengths:
        with own.database() as url:
            ours = uvloop.run(measure(own, url, [of_length(length)], seal=True))
        points.append((float(length), float(ours.bytes + ours.per_checkpoint * length)))
        rows.append(_row("SHIM", length, int(points[-1][1]), ours.puts))
        figures[f"put_p95_ms_at_{length}"] = percentile(ours.puts[-max(20, length // 10) :], 0.95) * 1000
    figures["growth_exponent"] = exponent(points)
    return rows


def _peers(own: Stores, *, quick: bool, figures: dict[str, float | str], rows: list[list[str]]) -> None:
    for mode, lengths in PEER_LENGTHS.items():
        points = []
        for length in lengths[:3] if quick else lengths:
            size_, puts = peer(own, mode, of_length(length))
            points.append((float(length), float(size_)))
            rows.append(_row(f"LangGraph {mode}", length, size_, puts))
        figures[f"growth_exponent_langgraph_{mode}"] = exponent(points)


def _http(own: Stores, figures: dict[str, float | str]) -> None:
    with own.database() as url:
        puts, bundles = over_http(own, url, of_length(427))
    figures["put_p95_ms_http"] = percentile(puts, 0.95) * 1000
    figures["put_p50_ms_http"] = percentile(puts, 0.5) * 1000
    figures["bundle_p95_ms_http"] = percentile(bundles, 0.95) * 1000


def _shown(value: float | str) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _row(store: str, length: int, size_: int, puts: Sequence[float]) -> list[str]:
    tenth = max(1, len(puts) // 10)
    shown = (
        percentile(puts, 0.5),
        percentile(puts, 0.95),
        percentile(puts[:tenth], 0.95),
        percentile(puts[-tenth:], 0.95),
    )
    return [store, str(length), f"{size_ / 1e6:.2f}", *(f"{1000 * seconds:.2f}" for seconds in shown)]


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    main()

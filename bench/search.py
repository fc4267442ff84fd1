"""`make bench-search`: latency of searches over 1,000 sessions, and the bytes of the index beside the raw transcripts.

The recorded sessions are stored and sealed as an import would do it, then copied under salted ids to 1,000, each copy
a day older. Bytes are what Postgres reports for the relations with their indexes after VACUUM. Queries are drawn from
the texts themselves: words as often as they occur, beginnings of words, identifiers, paths, phrases, with filters.
"""

import asyncio
import gzip
import random
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

import asyncpg
import uvloop
from figures import percentile, skip, table, write
from sessions import TRANSCRIPTS, every, load
from stores import Stores, door, stores

from shim_checkpointer.api import Services
from shim_checkpointer.app import create_app
from shim_checkpointer.domain import log
from shim_checkpointer.domain.digest import Digest
from shim_checkpointer.domain.log import LogEntry
from shim_checkpointer.domain.passages import Passage, passage_of
from shim_checkpointer.ports import PassageFilter
from shim_checkpointer.settings import SCHEMA, Settings
from shim_common.contracts.sessions import AppendEntries, EndSession, EntryKind, NewEntry, NewSession
from shim_transcripts import EntryReader

SESSIONS = 1000
QUERIES = 300
PAGE = 20
INDEX = ("passage", "unindexed")
STORE = ("session", "progress", "entry", "block", "source", "checkpoint")
_ACTOR = "bench"
_AT_ONCE = 500
_IDENTIFIER = re.compile(r"\w+(?:[_./-]\w+)+")
_WORD = re.compile(r"[^\W_]+")

_COPY = """
WITH copied AS (
  INSERT INTO session (id, chain_id, client, client_session_id, client_version, model, project, state, started_at,
                       ended_at, end_reason)
  SELECT id || $2, chain_id || $2, client, client_session_id || $2, client_version, model, project, state, started_at,
         ended_at, end_reason FROM session WHERE no = $1 RETURNING no),
to_progress AS (
  INSERT INTO progress SELECT copied.no, last_seen_at, turn_open, prompt_id, position, sealed, tail_bytes, head,
    checkpoints, checkpointed_calls, fresh_bytes, transcript_bytes, pid, pid_created, hooked_at, digest, risk,
    processes, bundle, raised FROM progress, copied WHERE session_no = $1),
to_block AS (
  INSERT INTO block SELECT copied.no, first, last, body FROM block, copied WHERE session_no = $1),
to_checkpoint AS (
  INSERT INTO checkpoint SELECT gen_random_uuid(), copied.no, at, number, position, trigger, head, note
  FROM checkpoint, copied WHERE session_no = $1)
INSERT INTO passage (session_no, at, position, kind, failed, tools, text, words)
SELECT copied.no, at - $3 * interval '1 day', position, kind, failed, tools, text, words
FROM passage, copied WHERE session_no = $1
"""


def entries(path: Path) -> tuple[int, list[NewEntry]]:
    """Return a transcript's raw size and its entries, as an import takes them."""
    raw = gzip.decompress(path.read_bytes())
    reader = EntryReader()
    placed = [*reader.feed(raw), *reader.finish()]
    found = (item.entry for item in placed)
    return len(raw), [NewEntry(key=one.key, kind=EntryKind(one.kind), at=one.at, body=one.body) for one in found]


async def store(services: Services, name: str, new: Sequence[NewEntry]) -> None:
    """Store a session and seal it."""
    command = NewSession(client=_ACTOR, client_session_id=name, project=f"/bench/{name[:1]}")
    await services.life.open(command, _ACTOR)
    for start in range(0, len(new), _AT_ONCE):
        await services.appending.append(name, AppendEntries(entries=list(new[start : start + _AT_ONCE])), _ACTOR)
    await services.life.end(name, EndSession(), _ACTOR)
    await services.upkeeping.seal(name, whole=True)


async def copy(url: str, wanted: int) -> float:
    """Copy the stored sessions until there are so many; return how many sessions there are to each stored one."""
    connection = await asyncpg.connect(url, server_settings={"search_path": SCHEMA})
    try:
        originals = [row["no"] for row in await connection.fetch("SELECT no FROM session ORDER BY no")]
        for number in range(max(0, wanted - len(originals))):
            round_, which = divmod(number, len(originals))
            await connection.execute(_COPY, originals[which], f"-{round_ + 1}", round_ + 1)
        for name in (*STORE, *INDEX):
            await connection.execute(f"VACUUM ANALYZE {name}")
    finally:
        await connection.close()
    return max(wanted, len(originals)) / len(originals)


async def sizes(url: str) -> dict[str, int]:
    """Return the bytes of each table with its indexes."""
    connection = await asyncpg.connect(url, server_settings={"search_path": SCHEMA})
    try:
        found = {
            name: int(await connection.fetchval("SELECT pg_total_relation_size($1::regclass)", name))
            for name in (*STORE, *INDEX)
        }
        found["passage_words"] = int(await connection.fetchval("SELECT pg_relation_size('passage_words')"))
    finally:
        await connection.close()
    return found


def queries(texts: Sequence[str], count: int) -> list[tuple[str, PassageFilter]]:
    """Return searches that people could make."""
    draw = random.Random(17)
    made: list[tuple[str, PassageFilter]] = []
    filters = (PassageFilter(), PassageFilter(), PassageFilter(failed=True), PassageFilter(tool="Bash"))
    while len(made) < count:
        text = draw.choice(texts)
        words, identifiers = _WORD.findall(text), _IDENTIFIER.findall(text)
        if len(words) < 4:
            continue
        start = draw.randrange(len(words) - 2)
        kinds = [
            draw.choice(words),
            draw.choice(words)[:4],
            " ".join(draw.sample(words, 2)),
            f"{draw.choice(words)} -{draw.choice(draw.choice(texts).split() or ['x'])[:20]}",
            '"' + " ".join(words[start : start + 3]) + '"',
            *([draw.choice(identifiers)[:100]] if identifiers else []),
        ]
        made.append((draw.choice(kinds), draw.choice(filters)))
    return made


async def add_times(services: Services, paths: Sequence[Path]) -> list[float]:
    """Return the seconds that storing the passages of one append takes, one append a tool result; nothing is kept."""
    seconds: list[float] = []
    for path in paths:
        digest, position = Digest(), 10**6
        for batch in load(path).batches:
            passages: list[Passage] = []
            for new in batch:
                position += 1
                entry = LogEntry(new.key, new.kind, new.at, new.body)
                passages += [passage] if (passage := passage_of(position, entry, digest)) else []
                digest.add(entry)
            async with services.context.store.begin() as unit:
                start = time.perf_counter()
                await unit.passages.add(1, passages)
                seconds.append(time.perf_counter() - start)
    return seconds


async def measure(own: Stores, url: str, paths: Sequence[Path], figures: dict[str, float | str]) -> list[str]:
    """Store, copy, search; return the texts that were stored."""
    settings = Settings(home=own.home / "measured", database_url=url, redis_url=own.redis_url)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        services: Services = app.state.services
        raw = 0
        for number, path in enumerate(paths):
            size, new = await asyncio.to_thread(entries, path)
            raw += size
            await store(services, f"{number}-{path.name[:20]}", new)
        await services.indexing.catch_up()
        copies = await copy(url, SESSIONS)
        found = await sizes(url)
        index = sum(found[name] for name in INDEX)
        whole = index + sum(found[name] for name in STORE)
        figures["sessions"] = int(len(paths) * copies)
        figures["sessions_recorded"] = len(paths)
        figures["raw_bytes"] = raw * copies
        figures["index_bytes"] = index
        figures["index_bytes_gin"] = found["passage_words"]
        figures["index_over_raw"] = index / (raw * copies)
        figures["store_and_index_over_raw"] = whole / (raw * copies)
        connection = await asyncpg.connect(url, server_settings={"search_path": SCHEMA})
        rows = await connection.fetch("SELECT text FROM passage ORDER BY session_no, position LIMIT 5000")
        figures["passages"] = int(await connection.fetchval("SELECT count(*) FROM passage"))
        await connection.close()
        texts = [log.unpack(row["text"]).decode() for row in rows]
        seconds: list[float] = []
        empty, slowest = 0, (0.0, "")
        for words, wanted in queries(texts, QUERIES):
            start = time.perf_counter()
            hits = await services.searching.search(words, wanted, None, PAGE)
            seconds.append(time.perf_counter() - start)
            empty += not hits
            slowest = max(slowest, (seconds[-1], words))
        print(f"slowest: {slowest[0] * 1000:.0f} ms; {empty} of {QUERIES} searches found nothing")
        figures["search_p50_ms_in_process"] = percentile(seconds, 0.5) * 1000
        figures["search_p95_ms_in_process"] = percentile(seconds, 0.95) * 1000
        added = await add_times(services, paths[:3])
        figures["append_adds_p50_ms"] = percentile(added, 0.5) * 1000
        figures["append_adds_p95_ms"] = percentile(added, 0.95) * 1000
    return texts


def over_http(own: Stores, url: str, texts: Sequence[str]) -> list[float]:
    """Search through gateway and HTTP; return seconds for each search."""
    with door(own, url, {}) as way_in:
        return [way_in.call("GET", _path(words, wanted))[0] for words, wanted in queries(texts, QUERIES)]


def _path(words: str, wanted: PassageFilter) -> str:
    given = {"query": words, "limit": PAGE, "tool": wanted.tool, "failed": wanted.failed}
    return "/v1/search?" + urlencode({name: value for name, value in given.items() if value is not None})


def main() -> None:
    """Measure everything, print the figures, write `search.json`."""
    paths = every()[:: 6 if "--quick" in sys.argv else 1]
    if not paths:
        skip(f"the recorded sessions are not in {TRANSCRIPTS}")
    figures: dict[str, float | str] = {}
    with stores() as own, own.database() as url:
        texts = uvloop.run(measure(own, url, paths, figures))
        seconds = over_http(own, url, texts)
    figures["search_p50_ms_http"] = percentile(seconds, 0.5) * 1000
    figures["search_p95_ms_http"] = percentile(seconds, 0.95) * 1000
    rows = [
        (name, f"{value:.4g}" if isinstance(value, float) else str(value)) for name, value in sorted(figures.items())
    ]
    table(("figure", "value"), rows)
    write("search", figures)


if __name__ == "__main__":
    main()

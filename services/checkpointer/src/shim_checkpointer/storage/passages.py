"""The search index: a short text an entry, and Postgres' full text search over it."""

from collections.abc import Iterator, Sequence

from shim_checkpointer.domain import log
from shim_checkpointer.domain.passages import Passage
from shim_checkpointer.domain.query import SearchQuery
from shim_checkpointer.ports import Found, PassageFilter, Place, Unindexed
from shim_common.contracts.search import PassageKind
from shim_common.db.database import Connection, Row

_KINDS = tuple(PassageKind)
_RANKED = 500
"""The newest matches that are ranked: more take longer than a person waits, and nobody reads so far."""
_BY_LENGTH = 1
"""Normalisation of `ts_rank`: divide by 1 + the logarithm of the text's length."""

_LEXEMES = "array_to_tsvector(string_to_array(p.words, ' '))"
"""Spelt as in the index, or the index is not used."""
_FILTERS = {
    "since": "p.at >= {}",
    "until": "p.at < {}",
    "failed": "p.failed = {}",
    "tool": "{} = ANY(string_to_array(p.tools, ' '))",
    "project": "s.project = {}",
    "client": "s.client = {}",
    "model": "strpos(lower(s.model), lower({})) > 0",
}


class PostgresPassages:
    """Passages in Postgres."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, session_no: int, passages: Sequence[Passage]) -> None:
        """Store passages of a session, in one statement; none costs nothing."""
        if not passages:
            return
        await self._connection.execute(
            """INSERT INTO passage (session_no, at, position, kind, failed, tools, text, words)
               SELECT $1, * FROM unnest($2::timestamptz[], $3::int[], $4::smallint[], $5::bool[], $6::text[],
                                        $7::bytea[], $8::text[])""",
            session_no,
            [one.at for one in passages],
            [one.position for one in passages],
            [_KINDS.index(one.kind) for one in passages],
            [one.failed for one in passages],
            [" ".join(one.tools) or None for one in passages],
            [log.pack(one.text.encode()) for one in passages],
            [one.words for one in passages],
        )

    async def find(self, query: SearchQuery, wanted: PassageFilter, after: Place | None, limit: int) -> list[Found]:
        """Return finds behind a place, best first; the newest matches are ranked."""
        given: list[object] = [query.tsquery(), _RANKED, limit]
        conditions = " AND ".join([f"{_LEXEMES} @@ $1::text::tsquery", *_conditions(query, wanted, given)])
        behind = _behind(after, given)
        # The planner takes parting a text into words for cheap, and would do it with every text there is.
        await self._connection.execute("SET LOCAL enable_seqscan = off")
        rows = await self._connection.fetch(
            f"""WITH newest AS MATERIALIZED (
                  SELECT p.*, s.id, s.client, s.client_session_id, s.project, s.model
                  FROM passage p JOIN session s ON s.no = p.session_no
                  WHERE {conditions}
                  ORDER BY p.at DESC, p.session_no DESC, p.position DESC LIMIT $2),
                ranked AS (
                  SELECT p.*, ts_rank({_LEXEMES}, $1::text::tsquery, {_BY_LENGTH})::float8 AS rank FROM newest p)
                SELECT * FROM ranked WHERE {behind}
                ORDER BY rank DESC, at DESC, session_no DESC, position DESC LIMIT $3""",  # noqa: S608 - the text is ours
            *given,
        )
        return [_found(row) for row in rows]

    async def unindexed(self) -> Unindexed | None:
        """Return a session that was stored before there was an index, the newest first."""
        row = await self._connection.fetchrow(
            """SELECT s.id, u.session_no, u.up_to FROM unindexed u JOIN session s ON s.no = u.session_no
               ORDER BY u.session_no DESC LIMIT 1"""
        )
        return None if row is None else Unindexed(row["id"], row["session_no"], row["up_to"])

    async def claim(self, due: Unindexed) -> bool:
        """Take it off the list of those; False if somebody else did, or the session is gone."""
        status = await self._connection.execute("DELETE FROM unindexed WHERE session_no = $1", due.session_no)
        return status == "DELETE 1"


def _conditions(query: SearchQuery, wanted: PassageFilter, given: list[object]) -> Iterator[str]:
    """Yield what a find must fulfil besides having the words; what is compared with is added to `given`."""
    for is_wanted, compared in ((True, ">"), (False, "=")):
        for run in query.runs(wanted=is_wanted):
            given.append(run)
            yield f"strpos(' ' || p.words || ' ', ${len(given)}) {compared} 0"
    for name, condition in _FILTERS.items():
        value = getattr(wanted, name)
        if value is not None:
            given.append(value)
            yield condition.format(f"${len(given)}")


def _behind(after: Place | None, given: list[object]) -> str:
    """Return the condition that a find lies behind a place."""
    if after is None:
        return "true"
    first = len(given) + 1
    given += [after.rank, after.at, after.session_no, after.position]
    return f"(rank, at, session_no, position) < (${first}, ${first + 1}, ${first + 2}, ${first + 3})"


def _found(row: Row) -> Found:
    passage = Passage(
        position=row["position"],
        at=row["at"],
        kind=_KINDS[row["kind"]],
        text=log.unpack(row["text"]).decode(),
        tools=tuple((row["tools"] or "").split()),
        failed=row["failed"],
    )
    return Found(
        passage=passage,
        place=Place(row["rank"], row["at"], row["session_no"], row["position"]),
        session_id=row["id"],
        client=row["client"],
        client_session_id=row["client_session_id"],
        project=row["project"],
        model=row["model"],
    )

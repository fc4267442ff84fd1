"""What a search over all sessions gives."""

from enum import StrEnum

from pydantic import Field

from shim_common.contracts.base import Moment, Page, Wire

LONGEST_QUERY = 500
"""Characters of a query."""
MOST_HITS = 100
"""Hits of one page."""


class PassageKind(StrEnum):
    """What the found text is."""

    PROMPT = "prompt"
    REPLY = "reply"
    CALL = "call"
    ERROR = "error"
    STATE = "state"


class SearchHit(Wire):
    """An entry that was found. Its full text: `GET /v1/sessions/{session_id}/entries?after={position - 1}&limit=1`."""

    session_id: str
    client: str
    client_session_id: str
    project: str
    model: str | None = Field(None, description="The model the session used last.")
    position: int = Field(description="The entry's position in the session's log.")
    at: Moment
    kind: PassageKind
    tools: list[str] = Field(default_factory=list, description="Tools that the entry calls, or whose call failed.")
    failed: bool = Field(description="It tells of a failure.")
    rank: float = Field(description="Comparable within one query.")
    snippet: str = Field(description="A line of the found text, redacted.")
    marks: list[tuple[int, int]] = Field(
        default_factory=list, description="Where the words stand in the snippet: start and end, in characters."
    )

    def marked(self, before: str, after: str) -> str:
        """Return the snippet with something put before and after each find."""
        parts, end_before = [], 0
        for start, end in self.marks:
            parts += [self.snippet[end_before:start], before, self.snippet[start:end], after]
            end_before = end
        return "".join((*parts, self.snippet[end_before:]))


class SearchPage(Page):
    """Hits, best first: the newest 500 matches are ranked."""

    items: list[SearchHit]

"""Transcripts and checkpoints as resources, for a person to attach and a model to read."""

import asyncio
import json
from typing import Any

from mcp_types import Resource

from shim_common.contracts.base import JsonObject
from shim_common.contracts.sessions import Checkpoint, Entry, Session
from shim_mcp.api import Api

TRANSCRIPT = "shim://sessions/{session_id}/transcript{?after}"
CHECKPOINT = "shim://checkpoints/{checkpoint_id}"
MEDIA_TYPE = "application/json"
_RECENT = 5
_PAGE = 50
_BODY_CHARS = 2000
"""A page of 50 such bodies is at most 100,000 characters, about 25,000 tokens: what clients take in one piece."""


class Resources:
    """Reads resources over one port to SHIM. Every method raises `ApiError`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def transcript(self, session_id: str, after: int | None = None) -> str:
        """The log of a session, 50 entries at a time: the newest, or those after a position; long bodies cut."""
        session = await self._api.session(session_id)
        start = max(0, session.position - _PAGE) if after is None else after
        page = await self._api.entries(session.id, after=start, limit=_PAGE)
        last = page.items[-1].position if page.items else start
        shown: JsonObject = {
            "session_id": session.id,
            "project": session.project,
            "state": session.state,
            "entries": [_shown(entry) for entry in page.items],
        }
        if start > 0:
            shown["earlier"] = _transcript_uri(session.id, max(0, start - _PAGE))
        if last < session.position:
            shown["later"] = _transcript_uri(session.id, last)
        return _json(shown)

    async def checkpoint(self, checkpoint_id: str) -> str:
        """What a checkpoint holds: summary, task, decisions, files, and calls that were in flight."""
        return (await self._api.checkpoint(checkpoint_id)).model_dump_json(exclude_none=True)

    async def recent(self) -> list[Resource]:
        """Return the newest sessions' transcripts, each followed by its newest checkpoint."""
        sessions = (await self._api.sessions(limit=_RECENT)).items
        newest = await asyncio.gather(*(self._newest(session) for session in sessions))
        listed: list[Resource] = []
        for session, checkpoint in zip(sessions, newest, strict=True):
            listed.append(_transcript_of(session))
            if checkpoint is not None:
                listed.append(_resource_of(session, checkpoint))
        return listed

    async def _newest(self, session: Session) -> Checkpoint | None:
        if session.checkpoints == 0:
            return None
        found = (await self._api.checkpoints(session.id, limit=1)).items
        return found[0] if found else None


def _transcript_of(session: Session) -> Resource:
    return Resource(
        uri=_transcript_uri(session.id),
        name=f"transcript {session.id}",
        title=f"{session.project}: {session.client}, {session.started_at:%Y-%m-%d %H:%M}, {session.state}",
        mime_type=MEDIA_TYPE,
    )


def _resource_of(session: Session, checkpoint: Checkpoint) -> Resource:
    return Resource(
        uri=f"shim://checkpoints/{checkpoint.id}",
        name=f"checkpoint {checkpoint.id}",
        title=f"{session.project}: checkpoint {checkpoint.number}, {checkpoint.at:%Y-%m-%d %H:%M}",
        mime_type=MEDIA_TYPE,
    )


def _transcript_uri(session_id: str, after: int | None = None) -> str:
    plain = f"shim://sessions/{session_id}/transcript"
    return plain if after is None else f"{plain}?after={after}"


def _shown(entry: Entry) -> JsonObject:
    body: Any = entry.body
    text = _json(entry.body)
    if len(text) > _BODY_CHARS:
        body = {"cut": True, "characters": len(text), "head": text[:_BODY_CHARS]}
    return {"position": entry.position, "kind": entry.kind, "at": entry.at.isoformat(), "body": body}


def _json(value: JsonObject) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

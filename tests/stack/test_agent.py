"""Transcripts that lie on the disk reach the store through the agent, also damaged ones."""

from pathlib import Path

from shim_cli.api import Api
from shim_cli.errors import ApiProblem
from shim_common.contracts.base import JsonObject

from .rig.client import connected
from .rig.damage import variants
from .rig.recordings import SHIPPED
from .rig.stack import Stack
from .rig.waiting import eventually

EVERY = 13
"""Lines of the shipped recording that are damaged here; `make chaos` damages each."""


def stored_messages(api: Api, sid: str) -> list[JsonObject]:
    try:
        return [entry.body for entry in api.entries(sid) if entry.kind == "message"]
    except ApiProblem as problem:
        assert problem.problem.status == 404, problem
        return []


def test_all_that_is_parseable_of_a_damaged_transcript_is_kept(stack: Stack, api: Api, tmp_path: Path) -> None:
    with connected(stack.home, tmp_path / "config") as client:
        written = {client.write(variant.content): variant for variant in variants(SHIPPED.read_bytes(), EVERY)}
        for session, variant in written.items():
            expected = list(variant.messages)
            eventually(lambda: stored_messages(api, session) == expected, variant.name)  # noqa: B023 - called at once
            assert api.integrity(session).verified

"""Every recorded session there is, and every way to damage a line of one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shim_cli.api import Api

from ..stack.rig.client import connected
from ..stack.rig.damage import stored_messages, variants
from ..stack.rig.player import assert_stored, replay
from ..stack.rig.recordings import SHARED, SHIPPED, real_transcripts
from ..stack.rig.stack import Stack, free_port, open_home
from ..stack.rig.waiting import eventually
from .figures import Figures

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("long")]


@pytest.fixture(scope="module")
def stack(long: None) -> Iterator[Stack]:
    with open_home() as home:
        stack = Stack(home, free_port())
        stack.up()
        yield stack


@pytest.fixture
def api(stack: Stack) -> Iterator[Api]:
    with stack.api() as api:
        yield api


@pytest.mark.skipif(not real_transcripts(), reason=f"no recorded sessions in {SHARED}")
def test_every_transcript_is_stored_as_it_was_sent(api: Api, figures: Figures) -> None:
    for path in real_transcripts():
        report = replay(api, path)
        figures.counts["transcripts replayed"] += 1
        figures.counts["their entries compared"] += report.verification.entries
        figures.counts["their secrets redacted"] += report.verification.redacted
        figures.counts["their entries lost or different"] += len(report.verification.differences)
        assert_stored(api, report)


def test_each_line_torn_or_removed_costs_no_other(stack: Stack, api: Api, tmp_path: Path, figures: Figures) -> None:
    with connected(stack.home, tmp_path / "config") as client:
        for variant in variants(SHIPPED.read_bytes()):
            session = client.write(variant.content)
            expected = list(variant.messages)
            eventually(lambda: stored_messages(api, session) == expected, variant.name)  # noqa: B023 - called at once
            figures.counts["damaged transcripts followed"] += 1

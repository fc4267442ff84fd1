import gzip
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from shim_cli.api import Api
from shim_cli.errors import ApiProblem, NotRunning, Refused
from shim_cli.replay import Player, Recording, ReplayReport, Wish
from shim_common.contracts.sessions import Entry, Recovery, SessionState
from shim_common.kernel.clock import ManualClock

from .conftest import Person
from .fake_shim import ADMIN_KEY, FakeShim
from .sample import CWD, HOOKS, LINES, SECRET, SESSION, write

SHARED = Path(__file__).parents[4] / "shared" / "data"


@dataclass
class Watcher:
    """Remembers what it was shown."""

    sizes: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)

    def started(self, recording: Recording, size: int) -> None:
        self.sizes.append(size)

    def advanced(self, end: int) -> None:
        self.ends.append(end)

    def killed(self, recovery: Recovery) -> None:
        self.recoveries.append(recovery)


@dataclass
class Stage:
    """A player before a fake SHIM, with a clock that moves only while the player waits."""

    shim: FakeShim
    watcher: Watcher = field(default_factory=Watcher)
    clock: ManualClock = field(default_factory=lambda: ManualClock(datetime(2026, 11, 20, tzinfo=UTC)))
    pauses: list[float] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(seconds)

    def play(self, path: Path, wish: Wish | None = None) -> ReplayReport:
        with Api(self.shim.url, ADMIN_KEY) as api:
            return Player(api, self.clock, self.watcher, self.pause).play(Recording(path), wish or Wish())


@pytest.fixture
def stage(shim: FakeShim) -> Stage:
    return Stage(shim)


def happened(shim: FakeShim) -> list[str]:
    """Return the hooks, and how many entries each append brought, in order."""
    steps = []
    for request in shim.requests:
        if "/hooks/" in request.path:
            steps.append(request.path.rpartition("/")[2])
        elif request.method == "POST" and request.path.endswith("/entries"):
            steps.append(str(len(json.loads(request.body)["entries"])))
    return steps


def test_a_session_is_played_in_the_order_it_happened(stage: Stage, tmp_path: Path) -> None:
    report = stage.play(write(tmp_path))
    assert happened(stage.shim) == [
        "SessionStart", "UserPromptSubmit", "2", "PreToolUse", "PostToolUse", "1", "1", "PreToolUse", "PostToolUse",
        "1", "1", "PreToolUse", "PostToolUse", "1", "1", "Stop", "SessionEnd",
    ]  # fmt: skip
    assert report.is_equal
    assert (report.sent, report.hooks, report.requests, report.retries) == (8, 10, 7, 0)
    assert (report.verification.entries, report.verification.redacted) == (8, 1)
    assert report.damage.skipped == {"progress": 1}
    assert report.checkpoints == 1


def test_the_session_is_a_new_one_each_time(stage: Stage, tmp_path: Path) -> None:
    path = write(tmp_path)
    first, second = stage.play(path).session, stage.play(path).session
    assert first
    assert second
    assert first.client_session_id.startswith(f"{SESSION}-replay-")
    assert first.client_session_id != second.client_session_id
    assert (first.project, first.client_version) == (CWD, "2.1.329")
    assert {payload["session_id"] for _, payload, _ in stage.shim.hooks} == {
        first.client_session_id,
        second.client_session_id,
    }
    assert stage.shim.find(first.id).session.state is SessionState.ENDED


def test_spans_tile_the_transcript(stage: Stage, tmp_path: Path) -> None:
    path = write(tmp_path)
    stage.play(path)
    bodies = [json.loads(one.body) for one in stage.shim.requests if one.path.endswith("/entries") and one.body]
    spans = [(body["source"]["start"], body["source"]["end"]) for body in bodies]
    assert spans[0][0] == 0
    assert spans[-1][1] == path.stat().st_size
    assert all(end == start for (_, end), (start, _) in pairwise(spans))
    assert stage.watcher.sizes == [path.stat().st_size]
    assert stage.watcher.ends == [end for _, end in spans]


def test_without_hooks_results_alone_cut_the_requests(stage: Stage, tmp_path: Path) -> None:
    report = stage.play(write(tmp_path, hooks=False))
    assert happened(stage.shim) == ["3", "2", "2", "1"]
    assert report.is_equal


def test_a_compressed_recording_is_the_same(stage: Stage, tmp_path: Path) -> None:
    path = write(tmp_path)
    for name in ("cart.jsonl", "cart.hooks.jsonl"):
        plain = tmp_path / name
        plain.with_name(f"{name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    report = stage.play(path.with_name("cart.jsonl.gz"))
    assert report.is_equal
    assert (report.sent, report.hooks) == (8, 10)


def test_a_kill_in_a_tool_call_is_told_recovered_and_gone_on_from(stage: Stage, tmp_path: Path) -> None:
    report = stage.play(write(tmp_path), Wish(kill_at=6))
    assert report.killed_at == 6
    assert happened(stage.shim)[-7:] == ["PreToolUse", "PostToolUse", "SessionStart", "1", "1", "Stop", "SessionEnd"]
    [gone] = stage.shim.exits
    assert gone.exit_code == -9
    assert gone.process == stage.shim.beats[0].process
    assert stage.shim.beats[-1].process != gone.process
    with pytest.raises(ProcessLookupError):
        os.kill(gone.process.pid, 0)
    [recovery] = stage.watcher.recoveries
    assert recovery == report.recovery
    assert recovery.interrupted
    assert stage.shim.hooks[-3][1]["source"] == "resume"
    assert report.is_equal


def test_a_kill_after_the_end_still_happens(stage: Stage, tmp_path: Path) -> None:
    report = stage.play(write(tmp_path), Wish(kill_at=1000))
    assert report.killed_at == 8
    assert report.is_equal


def test_the_project_can_be_another(stage: Stage, tmp_path: Path) -> None:
    report = stage.play(write(tmp_path), Wish(project=Path("/elsewhere")))
    assert report.session
    assert report.session.project == "/elsewhere"
    assert {payload["cwd"] for _, payload, _ in stage.shim.hooks} == {"/elsewhere"}


def test_time_passes_as_recorded_and_beats_go_on(stage: Stage, tmp_path: Path) -> None:
    report = stage.play(write(tmp_path), Wish(speed=0.5))
    assert sum(stage.pauses) == pytest.approx(report.seconds)
    assert max(stage.pauses) == 5.0
    assert len(stage.shim.beats) == pytest.approx(report.seconds / 5, abs=3)
    stage.pauses.clear()
    stage.play(write(tmp_path))
    assert stage.pauses == []


def lost(entry: Entry) -> Entry | None:
    return None if entry.key.endswith("4") else entry


def changed(entry: Entry) -> Entry:
    return entry.model_copy(update={"body": {**entry.body, "extra": 1}}) if entry.position == 2 else entry


def leaked(entry: Entry) -> Entry:
    body = json.loads(json.dumps(entry.body).replace("[redacted", "[not redacted"))
    return entry.model_copy(update={"body": body})


def misplaced(entry: Entry) -> Entry:
    return entry.model_copy(update={"position": 99}) if entry.position == 8 else entry


def older(entry: Entry) -> Entry:
    return entry.model_copy(update={"at": datetime(2020, 1, 1, tzinfo=UTC)}) if entry.position == 1 else entry


@pytest.mark.parametrize(
    ("tamper", "position", "what"),
    [
        (lost, 4, "is stored where"),
        (changed, 2, "another content"),
        (leaked, 3, "another content"),
        (misplaced, 8, "stored at position 99"),
        (older, 1, "another content"),
    ],
)
def test_whatever_is_not_stored_as_sent_is_found(
    stage: Stage, tmp_path: Path, tamper: Callable[[Entry], Entry | None], position: int, what: str
) -> None:
    stage.shim.tamper = tamper
    report = stage.play(write(tmp_path))
    assert not report.is_equal
    assert report.verification.differences[0].position == position
    assert what in report.verification.differences[0].what


def test_a_lost_last_entry_is_found(stage: Stage, tmp_path: Path) -> None:
    stage.shim.tamper = lambda entry: None if entry.position == 8 else entry
    report = stage.play(write(tmp_path))
    assert [difference.position for difference in report.verification.differences] == [8]
    assert "is not stored" in report.verification.differences[0].what


def test_a_shim_that_is_away_for_a_while_loses_nothing(stage: Stage, tmp_path: Path) -> None:
    stage.shim.trouble = [0, 503, 503, 0, 503, 0, 0, 503, 500]
    report = stage.play(write(tmp_path))
    assert report.retries == 5
    assert report.is_equal
    assert (report.sent, report.hooks) == (8, 10)


def test_a_shim_that_stays_away_ends_the_replay(stage: Stage, tmp_path: Path) -> None:
    stage.shim.trouble = [0] + [503] * 10_000
    with pytest.raises(ApiProblem, match="database is away"):
        stage.play(write(tmp_path))
    assert 30 <= stage.clock.monotonic() < 35


def test_a_refusal_is_not_repeated(stage: Stage, tmp_path: Path) -> None:
    stage.shim.trouble = [0, 0, 422]
    with pytest.raises(ApiProblem):
        stage.play(write(tmp_path))


def test_nobody_there_is_said_at_once(stage: Stage, tmp_path: Path) -> None:
    with Api("http://127.0.0.1:9", ADMIN_KEY) as api, pytest.raises(NotRunning, match="shim up"):
        Player(api, stage.clock, stage.watcher, stage.pause).play(Recording(write(tmp_path)), Wish())
    assert stage.pauses == []


def test_damage_is_counted_and_the_rest_is_stored(stage: Stage, tmp_path: Path) -> None:
    path = write(tmp_path, hooks=False)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2][:40] + b"\n"
    lines[-1] = lines[-1][:60]
    lines.insert(1, lines[0])
    path.write_bytes(b"".join(lines))
    report = stage.play(path)
    assert report.is_equal
    assert report.sent == 6
    assert report.damage.damaged == {"not_json": 1, "torn": 1}
    assert report.damage.duplicates == 1


def test_entries_of_one_line_stay_together(stage: Stage, tmp_path: Path) -> None:
    """Some clients append to a torn line: two records in one line have one span and must be one request."""
    path = write(tmp_path, hooks=False)
    path.write_bytes(path.read_bytes().replace(b"\n", b"", 3))
    report = stage.play(path)
    assert report.is_equal
    assert report.verification.entries == 8


@pytest.mark.parametrize("text", ["", "hello\n", '{"type": "x"}\n', "\x00" * 100])
def test_another_programs_file_is_refused(stage: Stage, tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(text)
    with pytest.raises(Refused, match="is not a transcript"):
        stage.play(path)
    assert stage.shim.sessions == {}


@pytest.mark.parametrize(
    "text",
    [
        "{}\n",
        '{"received_at": "x", "payload": {"hook_event_name": "Stop"}}\n',
        '{"received_at": 1, "payload": {"hook_event_name": 1}}\n',
        '{"received_at": 1, "payload": []}\n',
        "no\n",
    ],
)
def test_hooks_that_cannot_be_read_are_refused(stage: Stage, tmp_path: Path, text: str) -> None:
    path = write(tmp_path)
    path.with_name("cart.hooks.jsonl").write_text(json.dumps(HOOKS[0]) + "\n" + text)
    with pytest.raises(Refused, match="line 2"):
        stage.play(path)


def test_the_command_shows_figures_and_forgets(user: Person, shim: FakeShim, tmp_path: Path) -> None:
    shown = user.does("replay", write(tmp_path), "--kill-at", "6", "--forget")
    assert "cart.jsonl: stored as sent" in shown
    assert "8 entries" in shown
    assert "killed after 6 entries" in shown
    assert "Interrupted (certain)" in shown
    assert "In flight: Bash pytest -q - finished with output: '3 passed'" in shown
    assert "and 1026 more characters" in shown
    assert SECRET not in shown
    assert shim.sessions == {}


def test_the_command_fails_on_any_difference(user: Person, shim: FakeShim, tmp_path: Path) -> None:
    shim.tamper = lost
    result = user.run("replay", write(tmp_path))
    assert result.exit_code == 1
    assert "NOT stored as sent" in result.stdout


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "inf", "nan"])
def test_a_speed_that_is_none_is_refused(user: Person, tmp_path: Path, speed: str) -> None:
    result = user.run("replay", write(tmp_path), f"--speed={speed}")
    assert result.exit_code == 2


def test_real_transcripts_come_through(stage: Stage) -> None:
    folder = SHARED / "transcripts" / "many"
    if not folder.is_dir():
        pytest.skip("the real transcripts of ../shared are not here")
    for path in sorted(folder.glob("*.jsonl*"), key=lambda path: path.stat().st_size)[:5]:
        assert stage.play(path).is_equal


def test_the_sample_is_as_described() -> None:
    assert len([one for one in LINES if one["type"] != "progress"]) == 8

import gzip
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shim_risk import AlarmRule, ApiCall, Compaction, Prior
from shim_risk.evaluate import NothingToEvaluateError, evaluate, fit_prior, run
from shim_risk.evaluate.alarms import chosen_elsewhere, with_rule
from shim_risk.evaluate.forecasts import Forecast, fixed_threshold, linear_estimate, outcomes, risk_model
from shim_risk.evaluate.lessons import earlier, lesson, without_version
from shim_risk.evaluate.measures import alarm_runs, false_runs, is_lasting, measure
from shim_risk.evaluate.sessions import IMAGE_CHARACTERS, Ending, Segment, Session, distinct, load, parse

START = datetime(2026, 3, 1, tzinfo=UTC)


def answer(call_id: str, context: int, output: int = 1, **fields: object) -> dict[str, Any]:
    usage = {"input_tokens": 5, "cache_read_input_tokens": context - 5, "output_tokens": output}
    message = {"id": call_id, "role": "assistant", "model": "claude-opus-4-6", "content": [], "usage": usage}
    return {"type": "assistant", "version": "2.1.40", "requestId": f"r-{call_id}", "message": message, **fields}


def prompt(content: object, **fields: object) -> dict[str, Any]:
    return {"type": "user", "message": {"role": "user", "content": content}, **fields}


def boundary(trigger: str, pre_tokens: int) -> dict[str, Any]:
    metadata = {"trigger": trigger, "preTokens": pre_tokens}
    return {"type": "system", "subtype": "compact_boundary", "compactMetadata": metadata}


def transcript(lines: Iterable[dict[str, Any]]) -> bytes:
    dated = (
        {"uuid": f"u{number}", "sessionId": "s", "timestamp": (START + timedelta(seconds=number)).isoformat(), **line}
        for number, line in enumerate(lines)
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in dated)


def growing_session(number: int, calls: int, threshold: int = 167_000) -> Session:
    """Make a session of a fixed seed that compacts whenever its context reaches the threshold."""
    generator = np.random.default_rng(number)
    segments: list[Segment] = []
    current: list[ApiCall] = []
    context = 50_000
    for _ in range(calls):
        current.append(ApiCall(context, 1, "claude-opus-4-6", "2.1.40"))
        context += int(generator.lognormal(7, 0.8))
        if context >= threshold:
            segments.append(Segment(tuple(current), Ending.AUTOMATIC, Compaction(automatic=True, pre_tokens=context)))
            current, context = [], 50_000
    if current:
        segments.append(Segment(tuple(current), Ending.OPEN))
    ids = frozenset(f"{number}-{call}" for call in range(calls))
    return Session(f"session {number}", START + timedelta(days=number), ids, tuple(segments))


@pytest.fixture(scope="module")
def sessions() -> list[Session]:
    return [growing_session(number, calls=120 + 5 * number) for number in range(8)]


def test_transcript_becomes_calls_with_what_was_pending() -> None:
    session = parse(
        "a.jsonl",
        transcript(
            [
                prompt("before any call"),
                answer("m1", 20_000, output=1),
                prompt([{"type": "tool_result", "tool_use_id": "t", "content": "x" * 400}]),
                answer("m1", 20_000, output=90),
                prompt([{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "y" * 40}]}]),
                answer("side", 9_000, isSidechain=True),
                prompt("z" * 4_000, isSidechain=True),
                answer("m2", 20_500),
                prompt([{"type": "image", "source": {}}]),
                boundary("auto", 22_001),
                prompt("the summary " * 100, isCompactSummary=True),
                answer("m3", 12_000),
                prompt("go on"),
            ]
        )
        + b'{"type":"assistant","mess',
    )
    known = ApiCall(0, 1, "claude-opus-4-6", "2.1.40")
    assert session.segments == (
        Segment(
            calls=(
                replace(known, context_tokens=20_000, output_tokens=90, pending_tokens=110),
                replace(known, context_tokens=20_500, pending_tokens=IMAGE_CHARACTERS // 4),
            ),
            ending=Ending.AUTOMATIC,
            compaction=Compaction(automatic=True, pre_tokens=22_001),
        ),
        Segment(calls=(replace(known, context_tokens=12_000, pending_tokens=1),), ending=Ending.OPEN),
    )
    assert session.call_ids == {"m1", "m2", "m3"}
    assert session.calls == 3


def test_manual_compaction_is_told_apart() -> None:
    session = parse("a.jsonl", transcript([answer("m1", 100), boundary("manual", 120), answer("m2", 90)]))
    assert [segment.ending for segment in session.segments] == [Ending.MANUAL, Ending.OPEN]


def test_folders_are_read_plain_and_gzipped(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.jsonl").write_bytes(transcript([answer("m1", 100)]))
    (tmp_path / "deep" / "b.jsonl.gz").write_bytes(gzip.compress(transcript([answer("m2", 100)])))
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"no transcript")
    assert [session.name for session in load([tmp_path])] == ["a.jsonl", "b.jsonl.gz"]


def test_copies_of_a_conversation_are_left_out() -> None:
    short = parse("short", transcript([answer("m1", 100), answer("m2", 100)]))
    long = parse("long", transcript([answer("m1", 100), answer("m2", 100), answer("m3", 100)]))
    apart = parse("apart", transcript([answer("m9", 100)]))
    assert [session.name for session in distinct([short, long, apart])] == ["apart", "long"]


def segment_of(calls: int, ending: Ending) -> Segment:
    return Segment(tuple(ApiCall(1_000) for _ in range(calls)), ending)


def forecast(segment: Segment, alarm: str, soon: str | None = None, left: float = 10.0) -> Forecast:
    """Write flags as a string, one character a call, `#` for true."""
    count = len(segment.calls)
    return Forecast(
        segment=segment,
        soon=np.array([mark == "#" for mark in soon or alarm]),
        alarm=np.array([mark == "#" for mark in alarm]),
        calls_left=np.full(count, left),
        low=np.full(count, left - 4),
        high=np.full(count, left + 4),
        probability=np.where(np.array([mark == "#" for mark in alarm]), 0.99, 0.01),
    )


def test_calls_before_another_ending_are_censored() -> None:
    true, known = outcomes(segment_of(15, Ending.OPEN))
    assert not true.any()
    assert known.tolist() == [True] * 5 + [False] * 10
    true, known = outcomes(segment_of(15, Ending.AUTOMATIC))
    assert known.all()
    assert true.tolist() == [False] * 5 + [True] * 10


def test_alarm_runs_are_found_at_both_ends() -> None:
    assert alarm_runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert alarm_runs(np.array([False, False])) == []


@pytest.mark.parametrize(
    ("alarm", "lasting", "false"),
    [
        (".." + "." * 20 + "###", True, 0),
        (".." + "." * 21 + "##", False, 0),
        (".." + "." * 3 + "#" * 20, True, 0),
        (".." + "." * 2 + "#" * 21, False, 0),
        ("#." + "." * 13 + "#" * 10, True, 1),
        ("." * 15 + "#" * 9 + ".", False, 1),
        ("." * 25, False, 0),
    ],
)
def test_alarm_before_a_compaction(alarm: str, *, lasting: bool, false: int) -> None:
    one = forecast(segment_of(25, Ending.AUTOMATIC), alarm)
    assert is_lasting(one) == lasting
    assert false_runs(one) == false


@pytest.mark.parametrize(("alarm", "false"), [("." * 5 + "#" * 20, 0), ("." * 4 + "#" * 21, 1), ("##" + "." * 23, 1)])
@pytest.mark.parametrize("ending", [Ending.OPEN, Ending.MANUAL])
def test_alarm_before_another_ending(alarm: str, false: int, ending: Ending) -> None:
    one = forecast(segment_of(25, ending), alarm)
    assert not is_lasting(one)
    assert false_runs(one) == false


def test_measures_are_what_one_counts_by_hand() -> None:
    compacted = forecast(segment_of(20, Ending.AUTOMATIC), "." * 12 + "#" * 8, soon="." * 8 + "#" * 12, left=9)
    ended = forecast(segment_of(30, Ending.OPEN), "#" * 2 + "." * 28, soon="#" * 2 + "." * 18 + "#" * 10)
    found = {name: one.value for name, one in measure([[compacted], [ended]]).items()}
    assert found == pytest.approx(
        {
            "precision": 10 / 14,
            "recall": 1.0,
            "f1": 20 / 24,
            "lasting_alarm": 1.0,
            "false_alarm_runs_per_100_calls": 2.0,
            "interval_coverage": 9 / 20,
            "median_error_when_saying_8_to_12": 5.0,
            "median_lead_of_alarms": 8.0,
        }
    )


def test_intervals_hold_their_value_and_missing_ones_are_not_a_number(sessions: list[Session]) -> None:
    measures = measure(risk_model(sessions))
    assert all(one.low <= one.value <= one.high for one in measures.values())
    assert np.isnan(measure(fixed_threshold(sessions))["interval_coverage"].value)


def test_alarm_level_is_chosen_on_the_other_sessions() -> None:
    late = forecast(segment_of(30, Ending.AUTOMATIC), "." * 22 + "#" * 8)
    unsure = replace(late, probability=np.array([0.35] * 22 + [0.75] * 8))
    forecasts = [[unsure], [unsure], [unsure]]
    # From .3 on the alarm comes 30 calls ahead; from .4 to .7 eight; later never. The middle of those is taken.
    assert measure(with_rule(forecasts, AlarmRule(enter=0.3)))["lasting_alarm"].value == 0
    assert measure(with_rule(forecasts, AlarmRule(enter=0.8)))["lasting_alarm"].value == 0
    assert measure(chosen_elsewhere(forecasts))["lasting_alarm"].value == 1


def test_model_beats_the_simple_methods_on_steady_growth(sessions: list[Session]) -> None:
    ours, fixed, linear = (measure(method(sessions)) for method in (risk_model, fixed_threshold, linear_estimate))
    assert ours["f1"].value > 0.8
    assert ours["f1"].value >= max(fixed["f1"].value, linear["f1"].value) - 0.02
    assert ours["median_error_when_saying_8_to_12"].value <= 3


def test_forecast_never_learns_from_its_own_session(sessions: list[Session]) -> None:
    tested = sessions[3]
    first, *rest = tested.segments
    odd = replace(first, ending=Ending.AUTOMATIC, compaction=Compaction(automatic=True, pre_tokens=90_000))
    changed = [*sessions[:3], replace(tested, segments=(odd, *rest)), *sessions[4:]]
    before, after = (risk_model(some)[3][0].probability for some in (sessions, changed))
    assert before is not None
    assert after is not None
    assert np.array_equal(before, after)


def test_in_order_of_time_later_sessions_teach_nothing(sessions: list[Session]) -> None:
    lessons = [lesson(session) for session in sessions]
    assert earlier(lessons, 2) == lessons[:2]
    alone = risk_model(sessions[:3], taught_by=earlier)[2][0].probability
    among = risk_model(sessions, taught_by=earlier)[2][0].probability
    assert alone is not None
    assert among is not None
    assert np.array_equal(alone, among)


def test_hidden_versions_are_gone(sessions: list[Session]) -> None:
    hidden = without_version(sessions, hide_model=True)
    calls = [call for session in hidden for segment in session.segments for call in segment.calls]
    assert {(call.client_version, call.model) for call in calls} == {(None, None)}
    assert sum(session.calls for session in hidden) == sum(session.calls for session in sessions)


def test_prior_of_sessions_without_growth_is_the_default() -> None:
    assert fit_prior([]) == Prior.default()


def test_report_has_a_line_for_every_method_and_flat_figures(sessions: list[Session]) -> None:
    report = evaluate(sessions[:4])
    text = report.render()
    assert all(method in text for method in ("fixed threshold", "linear estimate", "version hidden", "first day"))
    figures = report.figures
    assert figures["sessions"] == 4
    assert figures["fixed_threshold.interval_coverage"] is None
    assert json.loads(json.dumps(figures)) == figures


def test_nothing_to_evaluate_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(transcript([answer("m1", 100)]))
    with pytest.raises(NothingToEvaluateError, match="1 sessions without an automatic compaction"):
        run([tmp_path])

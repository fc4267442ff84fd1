from typing import Any

import pytest

from shim_checkpointer.domain.digest import Digest, OpenCall
from shim_checkpointer.domain.signals import TUNABLES, Raised, context_window, measure, raised
from shim_common.parameters import Declared

from ..building import START, at

Case = tuple[str, dict[str, Any], dict[str, Any], str]

CASES: list[Case] = [
    ("response_latency", {"latencies": [1.25]}, {"latencies": [0.1, 0.1, 1.251]}, "took 1,251 ms"),
    ("message_count", {"messages": 50}, {"messages": 51}, "51 messages"),
    ("context_used", {"context_tokens": 100_000}, {"context_tokens": 100_001}, "50% of the context window"),
    (
        "tool_failure_rate",
        {"tool_calls": 10, "tool_failures": 2},
        {"tool_calls": 14, "tool_failures": 3},
        "21% of the tool calls failed",
    ),
    ("session_duration", {"minutes": 90}, {"minutes": 90.02}, "90 minutes old"),
    ("context_growth", {"context_growth": 15_000}, {"context_growth": 15_001}, "added 15,001 tokens"),
    ("error_streak", {"error_streak": 3}, {"error_streak": 4}, "4 tool calls failed in a row"),
    ("api_retries", {"api_retries": 3}, {"api_retries": 4}, "4 API retries"),
    ("transcript_bytes", {"transcript": 100_000_000}, {"transcript": 100_000_001}, "100 MB"),
]


def standing(values: Declared | None = None, **about: Any) -> list[Raised]:
    minutes, transcript = about.pop("minutes", 0), about.pop("transcript", 0)
    digest = Digest(**about)
    measures = measure(digest, started_at=START, now=at(60 * minutes), transcript_bytes=transcript)
    return raised(measures, digest, (values or Declared(TUNABLES)).value)


@pytest.mark.parametrize(("name", "below", "above", "why"), CASES, ids=[case[0] for case in CASES])
def test_a_signal_stands_just_above_its_threshold_and_says_why(
    name: str, below: dict[str, Any], above: dict[str, Any], why: str
) -> None:
    assert standing(**below) == []

    (signal,) = standing(**above)
    assert signal.name == name
    assert signal.value > signal.threshold
    assert why in signal.why
    assert "threshold" in signal.why
    assert not signal.why[0].islower()
    assert signal.why.endswith(".")


def test_every_measure_has_a_threshold_that_is_declared() -> None:
    lowest = Declared(TUNABLES, {tunable.name: tunable.minimum for tunable in TUNABLES})
    everything = Digest(
        messages=10, context_tokens=900_000, tool_calls=10, tool_failures=9, context_growth=90, error_streak=9
    )
    everything.latencies, everything.api_retries = [0.001, 0.001, 900.0], 9
    measures = measure(everything, started_at=START, now=at(9000), transcript_bytes=10**10)

    assert {signal.name for signal in raised(measures, everything, lowest.value)} == set(measures)


def test_all_quiet_in_a_new_session() -> None:
    assert standing() == []


def test_a_slow_model_is_measured_by_its_own_pace() -> None:
    assert standing(latencies=[4.0, 4.1, 4.2, 9.0]) == []
    assert [signal.threshold for signal in standing(latencies=[4.0, 4.1, 4.2, 4.3, 11.0])] == [10_500]


def test_few_calls_say_nothing_of_a_failure_rate() -> None:
    assert standing(tool_calls=4, tool_failures=4) == []
    assert [signal.name for signal in standing(tool_calls=5, tool_failures=2)] == ["tool_failure_rate"]


def test_open_calls_are_not_counted_as_successes() -> None:
    waiting = {str(number): OpenCall("Bash", "make", at().isoformat()) for number in range(4)}

    assert standing(tool_calls=14, tool_failures=2) == []
    assert [signal.value for signal in standing(tool_calls=13, tool_failures=2, open_calls=waiting)] == [2 / 9]


def test_values_of_ones_own() -> None:
    values = Declared(TUNABLES, {"message_limit": 5})

    assert [signal.threshold for signal in standing(values, messages=6)] == [5]


def test_a_clock_set_back_makes_no_negative_age() -> None:
    assert measure(Digest(), started_at=START, now=at(-600), transcript_bytes=0)["session_duration"] == 0


@pytest.mark.parametrize(
    ("model", "tokens", "window"),
    [
        (None, 0, 200_000),
        ("claude-sonnet-4-5", 200_000, 200_000),
        ("claude-sonnet-4-5[1m]", 10, 1_000_000),
        ("claude-sonnet-4-5", 200_001, 1_000_000),
    ],
)
def test_the_window_is_known_by_name_or_by_what_it_holds(model: str | None, tokens: int, window: int) -> None:
    assert context_window(model, tokens) == window

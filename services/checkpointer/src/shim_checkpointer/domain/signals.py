"""Signals: measures of a session that crossed a declared threshold, each with the reason in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from shim_checkpointer.domain.digest import Digest
from shim_common.parameters import Tunable

LARGE_WINDOW = 1_000_000
STANDARD_WINDOW = 200_000
_FEWEST_CALLS = 5
"""Tool calls below which a failure rate says nothing."""

TUNABLES = (
    Tunable(
        "latency_baseline_ms",
        500,
        1,
        600_000,
        "ms",
        "Normal reply time, if the session's median is not longer.",
    ),
    Tunable("latency_factor", 2.5, 1, 100, "x", "Replies slower than this many baselines raise response_latency."),
    Tunable("message_limit", 50, 1, 1_000_000, "messages", "More messages than this raise message_count."),
    Tunable("context_share_limit", 0.5, 0.01, 1, "share", "More of the window in use raises context_used."),
    Tunable("tool_failure_limit", 0.2, 0.01, 1, "share", "More failed tool calls raise tool_failure_rate."),
    Tunable("duration_limit_min", 90, 1, 100_000, "min", "A longer session raises session_duration."),
    # The 99th percentile of growth per call over 273 real sessions is 14,877 tokens.
    Tunable(
        "context_growth_limit",
        15_000,
        1,
        10_000_000,
        "tokens",
        "More gained in a call raises context_growth.",
    ),
    # The 90th percentile of failed calls in a row over the same sessions is 2.
    Tunable("error_streak_limit", 3, 1, 1000, "errors", "More failed calls in a row raise error_streak."),
    Tunable("api_retry_limit", 3, 1, 1000, "retries", "More retries since the last prompt raise api_retries."),
    # Clients have failed to load transcripts from about this size on.
    Tunable("transcript_limit_mb", 100, 1, 100_000, "MB", "A larger transcript raises transcript_bytes."),
)

_WORDING = {
    "response_latency": "the last reply took {v:,.0f} ms; the threshold is {t:,.0f} ms",
    "message_count": "{v:,.0f} messages; the threshold is {t:,.0f}",
    "context_used": "{v:.0%} of the context window is used; the threshold is {t:.0%}",
    "tool_failure_rate": "{v:.0%} of the tool calls failed; the threshold is {t:.0%}",
    "session_duration": "the session is {v:,.0f} minutes old; the threshold is {t:,.0f}",
    "context_growth": "the last call added {v:,.0f} tokens; the threshold is {t:,.0f}",
    "error_streak": "{v:,.0f} tool calls failed in a row; the threshold is {t:,.0f}",
    "api_retries": "{v:,.0f} API retries since the last prompt; the threshold is {t:,.0f}",
    "transcript_bytes": "the transcript has {v:,.0f} MB; the threshold is {t:,.0f} MB",
}


@dataclass(frozen=True)
class Raised:
    """A threshold that is crossed now."""

    name: str
    value: float
    threshold: float
    why: str


def context_window(model: str | None, context_tokens: int) -> int:
    """Return the size of the model's context window: 1M where the name says so or the context proves it."""
    if context_tokens > STANDARD_WINDOW or (model and "[1m]" in model):
        return LARGE_WINDOW
    return STANDARD_WINDOW


def measure(digest: Digest, *, started_at: datetime, now: datetime, transcript_bytes: int) -> dict[str, float]:
    """Return what is measured of a session now."""
    window = context_window(digest.model, digest.context_tokens)
    calls = digest.finished_calls
    return {
        "response_latency": digest.latencies[-1] * 1000 if digest.latencies else 0.0,
        "message_count": digest.messages,
        "context_used": digest.context_tokens / window,
        "tool_failure_rate": digest.tool_failures / calls if calls >= _FEWEST_CALLS else 0.0,
        "session_duration": max(0.0, (now - started_at).total_seconds() / 60),
        "context_growth": digest.context_growth,
        "error_streak": digest.error_streak,
        "api_retries": digest.api_retries,
        "transcript_bytes": transcript_bytes / 1e6,
    }


def raised(measures: Mapping[str, float], digest: Digest, value: Callable[[str], float]) -> list[Raised]:
    """Return the signals that are up; `value` gives a parameter."""
    return [
        Raised(name, measures[name], threshold, _say(name, measures[name], threshold))
        for name, threshold in _thresholds(digest, value).items()
        if measures[name] > threshold
    ]


def _thresholds(digest: Digest, value: Callable[[str], float]) -> dict[str, float]:
    baseline = max(value("latency_baseline_ms"), 1000 * (digest.median_latency() or 0.0))
    return {
        "response_latency": baseline * value("latency_factor"),
        "message_count": value("message_limit"),
        "context_used": value("context_share_limit"),
        "tool_failure_rate": value("tool_failure_limit"),
        "session_duration": value("duration_limit_min"),
        "context_growth": value("context_growth_limit"),
        "error_streak": value("error_streak_limit"),
        "api_retries": value("api_retry_limit"),
        "transcript_bytes": value("transcript_limit_mb"),
    }


def _say(name: str, value: float, threshold: float) -> str:
    why = _WORDING[name].format(v=value, t=threshold)
    return f"{why[0].upper()}{why[1:]}."

"""The model on real sessions, where they are at hand."""

from pathlib import Path

import pytest

from shim_risk import Prior, ThresholdKey
from shim_risk.evaluate import Session, fit_prior, load
from shim_risk.evaluate.forecasts import risk_model
from shim_risk.evaluate.lessons import book_of, lesson
from shim_risk.evaluate.measures import measure
from shim_risk.evaluate.sessions import distinct

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "transcripts"

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason=f"there are no recorded sessions at {RECORDED}")


@pytest.fixture(scope="module")
def sessions() -> list[Session]:
    return distinct(load([RECORDED]))


def test_default_prior_is_the_growth_of_the_recorded_sessions(sessions: list[Session]) -> None:
    fitted = fit_prior(sessions).growth.quantiles
    assert fitted == pytest.approx(Prior.default().growth.quantiles, abs=1)


def test_every_automatic_compaction_fits_the_declared_thresholds(sessions: list[Session]) -> None:
    learnt = book_of([lesson(session) for session in sessions])
    pinned = [key for key, findings in learnt.findings.items() if any(one.high for one in findings)]
    assert len(pinned) > 5
    for key in pinned:
        assert learnt.estimate(key).tokens == learnt.declared.candidates(key)[0].middle
    assert learnt.estimate(ThresholdKey("claude-opus-4-6", None, "2.1.50")).tokens == 167_000


def test_figures_on_a_few_sessions_hold_up(sessions: list[Session]) -> None:
    compacting = [session for session in sessions if len(session.segments) > 1][:12]
    measures = measure(risk_model(compacting))
    assert measures["f1"].value > 0.65
    assert measures["lasting_alarm"].value > 0.75
    assert measures["false_alarm_runs_per_100_calls"].value < 0.15
    assert 0.65 < measures["interval_coverage"].value < 0.95
    assert measures["median_error_when_saying_8_to_12"].value <= 6

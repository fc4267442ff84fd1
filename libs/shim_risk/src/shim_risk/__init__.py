"""Says how many calls are left before an assistant compacts its context."""

from shim_risk.alarm import AlarmRule
from shim_risk.book import ThresholdBook
from shim_risk.declared import DeclaredThresholds
from shim_risk.growth import Growth, Pace
from shim_risk.model import Risk, RiskModel
from shim_risk.observations import ApiCall, Compaction, Observation, Pending, estimate_tokens
from shim_risk.prior import Prior
from shim_risk.session import SessionRisk
from shim_risk.thresholds import Evidence, ThresholdEstimate, ThresholdKey

__all__ = [
    "AlarmRule",
    "ApiCall",
    "Compaction",
    "DeclaredThresholds",
    "Evidence",
    "Growth",
    "Observation",
    "Pace",
    "Pending",
    "Prior",
    "Risk",
    "RiskModel",
    "SessionRisk",
    "ThresholdBook",
    "ThresholdEstimate",
    "ThresholdKey",
    "estimate_tokens",
]

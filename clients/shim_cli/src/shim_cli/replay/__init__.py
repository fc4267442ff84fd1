"""Feeding recorded sessions through the API as if live, and proving that nothing of them was lost."""

from shim_cli.replay.player import Player, Wish
from shim_cli.replay.recording import Recording
from shim_cli.replay.report import ReplayReport

__all__ = ["Player", "Recording", "ReplayReport", "Wish"]

"""Codex's rollouts: what of them is kept, in the shape that Claude Code's entries have.

Seen and tested: Codex 0.169.0.
"""

from shim_transcripts.codex.entries import CODEX
from shim_transcripts.codex.origin import RolloutOrigin, rollout_origin

__all__ = ["CODEX", "RolloutOrigin", "rollout_origin"]

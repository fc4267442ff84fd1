"""A turn as the tests with SHIM play it: a request, a call that works, one that fails, and a last word."""

from harness.script import Reply, bash, calls, says

PROMPT = "Sort the drawers of the workshop; never throw anything away."
CONSTRAINT = "never throw anything away"
PRINTED, BROKEN, WORDS = "forty screws", "the drawer is stuck", "The drawers are sorted."
ALONE = "--strict-mcp-config"
"""Leaves MCP servers out: starting one takes longer than all the rest of a start."""


def turn() -> list[Reply]:
    """Return what the model answers."""
    return [calls(bash(f"echo {PRINTED}")), calls(bash(f"echo {BROKEN} >&2; exit 3")), says(WORDS)]

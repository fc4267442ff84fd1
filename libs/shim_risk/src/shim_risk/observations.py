"""What a session shows of its context, in the order in which it happens. Sidechains are no part of it."""

from dataclasses import dataclass

CHARACTERS_PER_TOKEN = 4
"""How Claude Code counts what it has not sent yet: the `preTokens` of compactions that followed large tool
results is the last call's usage plus these characters divided by four, to within a few tokens."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request of the main conversation. All counts are tokens.

    `context_tokens` is everything the model read: input, cache creation and cache read. `pending_tokens` is
    what was appended since and goes out with the next call, as far as it is known already. `window` is the
    context window where somebody knows it.
    """

    context_tokens: int
    output_tokens: int = 0
    model: str | None = None
    client_version: str | None = None
    window: int | None = None
    pending_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """Tool results or a prompt were appended after the last call; `tokens` as `estimate_tokens` has it."""

    tokens: int


@dataclass(frozen=True, slots=True)
class Compaction:
    """The conversation was replaced by a summary; `pre_tokens` is the client's count before."""

    automatic: bool
    pre_tokens: int | None = None


Observation = ApiCall | Pending | Compaction


def estimate_tokens(characters: int) -> int:
    """Estimate the tokens of a text as the client does that decides when to compact."""
    return max(0, characters) // CHARACTERS_PER_TOKEN

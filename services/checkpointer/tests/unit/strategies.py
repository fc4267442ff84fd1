"""What hypothesis makes: any JSON, and lines that look like a client's."""

from typing import Any

from hypothesis import strategies as st

from shim_checkpointer.domain.log import LogEntry
from shim_common.contracts.sessions import EntryKind

from ..building import at

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8
)
json_objects = st.dictionaries(texts, json_values, max_size=5)

_known_words = st.sampled_from(
    [
        "Never touch it.",
        "I'll use sqlite.",
        "[Tool call interrupted",
        "<command-x>",
        "Bash",
        "Edit",
        "TodoWrite",
        "TaskCreate",
        "TaskUpdate",
        "ExitPlanMode",
        "<synthetic>",
        "tool_use",
        "end_turn",
        "1",
        "/home/ana/webshop/a.py",
    ]
)
_values = _known_words | json_values


def _likely(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of these fields, each of its kind or of any."""
    return st.fixed_dictionaries({}, optional={name: values | _values for name, values in fields.items()})


_inputs = _likely(
    {
        "command": texts,
        "file_path": texts,
        "todos": st.lists(_likely({"content": texts, "status": texts, "id": _known_words}), max_size=3),
        "subject": texts,
        "taskId": _known_words,
        "status": texts,
        "plan": texts,
    }
)
_ids = st.sampled_from(["toolu_1", "toolu_2", "toolu_3"])
_blocks = (
    st.fixed_dictionaries({"type": st.just("text"), "text": _values})
    | st.fixed_dictionaries({"type": st.just("tool_use"), "id": _ids, "name": _known_words, "input": _inputs})
    | st.fixed_dictionaries(
        {"type": st.just("tool_result"), "tool_use_id": _ids, "content": _values, "is_error": st.booleans()}
    )
    | st.fixed_dictionaries({"type": st.just("thinking")})
)
_usages = _likely({"input_tokens": numbers, "cache_read_input_tokens": numbers, "output_tokens": numbers})
_messages = _likely(
    {
        "role": st.sampled_from(["user", "assistant"]),
        "content": st.lists(_blocks | json_values, max_size=4),
        "id": _ids,
        "model": _known_words,
        "usage": _usages,
        "stop_reason": st.sampled_from(["end_turn", "tool_use"]),
    }
)
bodies = (
    _likely(
        {
            "message": _messages,
            "isSidechain": st.booleans(),
            "isMeta": st.booleans(),
            "isCompactSummary": st.booleans(),
            "isApiErrorMessage": st.booleans(),
            "version": texts,
            "promptId": _ids,
        }
    )
    | _likely({"operation": texts, "progress": numbers, "blockers": json_values, "decisions": json_values})
    | _likely({"id": _ids, "name": _known_words, "input": _inputs, "output": json_values, "is_error": st.booleans()})
    | _likely({"retryAttempt": numbers, "error": json_values, "summary": texts, "compactMetadata": json_objects})
    | json_objects
)
entries = st.builds(
    LogEntry,
    key=texts.filter(bool),
    kind=st.sampled_from(EntryKind),
    at=st.integers(-(10**9), 10**9).map(at),
    body=bodies,
)
logs = st.lists(entries, max_size=12)

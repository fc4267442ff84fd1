"""Which files a session's tools named as the ones they write."""

from collections.abc import Iterator, Mapping
from typing import Any

from shim_transcripts import content_blocks

_PATH_FIELD = {
    "Edit": "file_path",
    "MultiEdit": "file_path",
    "NotebookEdit": "notebook_path",
    "Write": "file_path",
}
_PATHS_FIELD = "files"
"""Where a call names several files, as one patch of Codex does."""


def touched_files(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paths that the tool calls in an entry write to, as the call gives them."""
    for block in content_blocks(body):
        field = _PATH_FIELD.get(str(block.get("name")))
        if block.get("type") != "tool_use" or field is None:
            continue
        arguments = block.get("input")
        if isinstance(arguments, dict):
            more = arguments.get(_PATHS_FIELD)
            paths = [arguments.get(field), *(more if isinstance(more, list) else [])]
            yield from dict.fromkeys(path for path in paths if isinstance(path, str) and path)


def below(project: str, path: str) -> str | None:
    """Return a path relative to the project, None where it lies elsewhere."""
    prefix = project.rstrip("/") + "/"
    return path.removeprefix(prefix) if path.startswith(prefix) and path != prefix else None

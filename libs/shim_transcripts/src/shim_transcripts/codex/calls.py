"""Codex's tool calls and their results, under the names that its own hooks give them.

The model calls `exec_command` with `cmd`; Codex's hooks call the same thing `Bash` with `command`, as Claude Code
does. A log that uses the hooks' names can be compared with what the hooks saw.
"""

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

from shim_transcripts.jsontext import JsonObject

SHELL_TOOLS = frozenset({"exec_command", "shell", "shell_command", "local_shell"})
PATCH_TOOL = "apply_patch"

_EXIT_CODE = re.compile(r"^(?:Process exited with code|Exit code:) (-?\d+)$", re.MULTILINE)
_OUTPUT = re.compile(r"^Output:$", re.MULTILINE)
_PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$|^\*\*\* Move to: (.+)$", re.MULTILINE)
_UNSUPPORTED = ("unsupported call:", "unsupported custom tool call:")


def tool_use(payload: Mapping[str, Any]) -> JsonObject | None:
    """Return a `tool_use` block for a call; None where the item names no call."""
    call_id, name = payload.get("call_id"), payload.get("name")
    if payload.get("type") == "local_shell_call":
        name = "local_shell"
    if not isinstance(call_id, str) or not isinstance(name, str):
        return None
    shown, arguments = _shown(name, _arguments(payload))
    return {"type": "tool_use", "id": call_id, "name": shown, "input": arguments}


def tool_result(payload: Mapping[str, Any]) -> JsonObject | None:
    """Return a `tool_result` block for a call's output; None where the item names no call."""
    call_id = payload.get("call_id")
    if not isinstance(call_id, str):
        return None
    content = _output(payload.get("output"))
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": _failed(payload, content)}


def patched_files(patch: str) -> list[str]:
    """Return the files that a patch names, as it names them."""
    return [added or moved for added, moved in _PATCHED.findall(patch)]


def _arguments(payload: Mapping[str, Any]) -> JsonObject:
    for given in (payload.get("arguments"), payload.get("input"), payload.get("action")):
        if isinstance(given, dict):
            return given
        if isinstance(given, str):
            return _decoded(given)
    return {}


def _decoded(text: str) -> JsonObject:
    """Return arguments as an object: what a model wrote need not be JSON."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"text": text}


def _shown(name: str, arguments: JsonObject) -> tuple[str, JsonObject]:
    if name in SHELL_TOOLS:
        given = {key: value for key, value in arguments.items() if key not in ("cmd", "command")}
        return "Bash", {"command": _command(arguments), **given}
    if name == PATCH_TOOL:
        patch = str(arguments.get("text", arguments.get("input", "")))
        files = patched_files(patch)
        return "Edit", {"file_path": files[0] if files else "", "files": files, "patch": patch}
    return name, arguments


def _command(arguments: JsonObject) -> str:
    """Return the command as a person would type it; some versions give the shell and its arguments."""
    command = arguments.get("cmd", arguments.get("command"))
    if isinstance(command, list):
        words = [str(word) for word in command]
        return words[2] if len(words) == 3 and words[1] in ("-c", "-lc") else shlex.join(words)
    return command if isinstance(command, str) else ""


def _output(output: object) -> object:
    """Return the output as text where it is one, else as blocks."""
    if isinstance(output, dict):
        output = output.get("content", output.get("body", output))
    if isinstance(output, list):
        return [_block(one) for one in output if isinstance(one, dict)]
    return output if isinstance(output, str) else json.dumps(output)


def _block(block: JsonObject) -> JsonObject:
    return {**block, "type": "text"} if block.get("type") in ("input_text", "output_text") else block


def _failed(payload: Mapping[str, Any], content: object) -> bool:
    """Tell whether a call failed, as far as its result says so: Codex's own flag, or the exit code in the text."""
    output = payload.get("output")
    if isinstance(output, dict) and isinstance(output.get("success"), bool):
        return output["success"] is False
    if not isinstance(content, str):
        return False
    if content.startswith(_UNSUPPORTED):
        return True
    head = _OUTPUT.split(content, maxsplit=1)[0]
    code = _EXIT_CODE.search(head)
    return code is not None and int(code[1]) != 0

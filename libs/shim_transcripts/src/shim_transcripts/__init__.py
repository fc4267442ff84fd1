"""Reads the transcripts that coding assistants write, whatever their damage."""

from shim_transcripts.codex import CODEX, RolloutOrigin, rollout_origin
from shim_transcripts.codex.calls import patched_files
from shim_transcripts.conversation import (
    ApiCall,
    Compaction,
    Message,
    ToolCall,
    ToolResult,
    api_calls,
    compactions,
    content_blocks,
    dangling_calls,
    messages,
    tool_calls,
)
from shim_transcripts.damage import Damage, Reason
from shim_transcripts.dialect import CLAUDE_CODE, Dialect
from shim_transcripts.entries import Entry, Kind, Skipped, to_entry
from shim_transcripts.lines import Line, LineSplitter
from shim_transcripts.locate import (
    find_session_file,
    project_folder,
    project_folder_name,
    rollout_files,
    session_files,
    session_id_of,
    subagent_files,
    thread_id_of,
)
from shim_transcripts.reader import EntryReader, PlacedEntry
from shim_transcripts.recognise import looks_like_transcript
from shim_transcripts.records import Record, parse_line, salvage
from shim_transcripts.report import ReadReport

__all__ = [
    "CLAUDE_CODE",
    "CODEX",
    "ApiCall",
    "Compaction",
    "Damage",
    "Dialect",
    "Entry",
    "EntryReader",
    "Kind",
    "Line",
    "LineSplitter",
    "Message",
    "PlacedEntry",
    "ReadReport",
    "Reason",
    "Record",
    "RolloutOrigin",
    "Skipped",
    "ToolCall",
    "ToolResult",
    "api_calls",
    "compactions",
    "content_blocks",
    "dangling_calls",
    "find_session_file",
    "looks_like_transcript",
    "messages",
    "parse_line",
    "patched_files",
    "project_folder",
    "project_folder_name",
    "rollout_files",
    "rollout_origin",
    "salvage",
    "session_files",
    "session_id_of",
    "subagent_files",
    "thread_id_of",
    "to_entry",
    "tool_calls",
]

"""Reads the transcripts that coding assistants write, whatever their damage."""

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
from shim_transcripts.entries import Entry, Kind, Skipped, to_entry
from shim_transcripts.lines import Line, LineSplitter
from shim_transcripts.locate import (
    find_session_file,
    project_folder,
    project_folder_name,
    session_files,
    session_id_of,
    subagent_files,
)
from shim_transcripts.reader import EntryReader, PlacedEntry
from shim_transcripts.recognise import looks_like_transcript
from shim_transcripts.records import Record, parse_line, salvage
from shim_transcripts.report import ReadReport

__all__ = [
    "ApiCall",
    "Compaction",
    "Damage",
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
    "project_folder",
    "project_folder_name",
    "salvage",
    "session_files",
    "session_id_of",
    "subagent_files",
    "to_entry",
    "tool_calls",
]

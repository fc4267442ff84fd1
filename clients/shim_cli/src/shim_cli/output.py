"""What the command prints: tables for people, JSON for programs, one line for an error."""

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from pydantic import BaseModel, TypeAdapter
from rich.console import Console
from rich.table import Table

PIPE_WIDTH = 200
"""Columns where no terminal says how many it has: wide enough that no id is cut."""

_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def console() -> Console:
    """Return the standard output: coloured on a terminal, plain in a pipe, never interpreting what it prints."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(markup=False, highlight=False, emoji=False, width=width)


def print_json(value: object) -> None:
    """Print models, or lists and mappings of them, as indented JSON."""
    typer.echo(_ANYTHING.dump_json(value, indent=2))


def print_json_lines(items: Iterable[BaseModel]) -> None:
    """Print each model as one line of JSON, as it comes."""
    for item in items:
        typer.echo(item.model_dump_json())
        sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Print rows under column titles, or a sentence where there are none."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(plain(shown(cell)) for cell in row))
    console().print(table if table.row_count else empty)


def print_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Print names and values in two columns; facts without a value are left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts:
        if value not in (None, "", []):
            table.add_row(name, plain(shown(value)))
    console().print(table)


def shown(value: Any) -> str:  # noqa: ANN401 - whatever a table may hold
    """Return a value as people read it: local time to the second, yes and no, one line an item."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        case float():
            return f"{value:g}"
        case list() | tuple():
            return "\n".join(shown(item) for item in value)
        case _:
            return str(value)


def plain(text: str) -> str:
    """Return the text without control characters: stored text must not steer the terminal."""
    return _CONTROLS.sub("", text)


def complain(message: str) -> None:
    """Print an error or a warning as one line on the standard error."""
    line = plain(" ".join(message.split()))
    typer.echo(f"shim: {line}", err=True)

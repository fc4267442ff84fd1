"""`shim up`, `shim down`, `shim status` and `shim logs`: entry points of the group `shim.commands`."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from shim_cli.output import console, print_table
from shim_stack.down import take_down
from shim_stack.errors import BadConfiguration, StackError
from shim_stack.folder import DataFolder
from shim_stack.logs import MIB, LogFile, follow, log_files
from shim_stack.record import ProcessRecord
from shim_stack.settings import BIND, HOST, SPLIT, data_folder
from shim_stack.status import ProcessStatus, StackStatus, measure
from shim_stack.table import make_plan
from shim_stack.up import bring_up, hold_up, prove

EXIT_NOT_RUNNING = 3  # as systemctl and the Linux Standard Base have it


def up(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Listen here; remembered.")] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay; Ctrl-C stops. No self-proof.")] = False,
    no_demo: Annotated[bool, typer.Option("--no-demo", help="Leave out the self-proof.")] = False,
    split: Annotated[bool, typer.Option("--split", help="Run each service in a process of its own.")] = False,
) -> None:
    """Start SHIM on this machine, in the background, and let it prove itself.

    Data is kept in SHIM_HOME. DATABASE_URL and REDIS_URL take your own servers instead of the embedded ones.
    """
    folder, out = data_folder(), console()
    environ = dict(os.environ) | {"SHIM_HOME": str(folder.path)}
    environ |= {BIND: f"{HOST}:{port}"} if port else {}
    environ |= {SPLIT: "1"} if split else {}
    if foreground:
        os.environ.update(environ)
        started = hold_up(folder, make_plan, out)
    else:
        started = bring_up(folder, environ, out)
    if not started:
        out.print("SHIM runs already.")
        show(_measure(folder))
        return
    if foreground:
        out.print("SHIM is stopped.")
    else:
        well = no_demo or prove(out)
        _show_next_step(folder)
        if not well:
            raise StackError("SHIM is up, but its self-proof failed; see above and `shim logs`.")


def down() -> None:
    """Stop SHIM. Nothing is lost: sessions go on, and what they did meanwhile is read at the next start."""
    folder, out = data_folder(), console()
    ran = take_down(folder, lambda process: out.print(f"  {_stopped(process)}"))
    out.print("SHIM is stopped." if ran else "SHIM was not running.")


def status() -> None:
    """Show what runs, how much it takes and where the data is. Exit code 0 where all is up, else 3."""
    found = _measure(data_folder())
    show(found)
    if not found.is_up:
        raise typer.Exit(EXIT_NOT_RUNNING)


def logs(
    process: Annotated[str | None, typer.Argument(help="One process only, as `shim status` names it.")] = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the last lines.")] = 20,
    following: Annotated[bool, typer.Option("-f", "--follow", help="Go on as lines are written.")] = False,
) -> None:
    """Show the processes' logs."""
    chosen = _choose(log_files(data_folder().logs), process)
    width = max(len(log.name) for log in chosen) if len(chosen) > 1 else 0
    for log, line in _lines(chosen, lines, following=following):
        typer.echo(f"{log.name:<{width}} | {line}" if width else line)


def show(found: StackStatus) -> None:
    """Print a status."""
    if found.is_running:
        print_table(
            ["PROCESS", "STATE", "PID", "UP", "MEMORY", "RESTARTS", "LAST EXIT"],
            [_row(process) for process in found.processes],
            empty="",
        )
    else:
        console().print("SHIM is not running.")
    _print_facts(_facts(found))


def _measure(folder: DataFolder) -> StackStatus:
    return measure(folder, datetime.now(UTC))


def _row(process: ProcessStatus) -> list[str]:
    uptime = timedelta(seconds=int(process.uptime.total_seconds()))
    memory = "" if process.memory is None else _size(process.memory)
    return [
        process.name,
        process.state,
        str(process.pid),
        str(uptime),
        memory,
        str(process.restarts),
        process.last_exit or "",
    ]


def _facts(found: StackStatus) -> Iterator[tuple[str, str]]:
    record = found.record
    if record is not None and found.is_running:
        total = sum(process.memory or 0 for process in found.processes)
        yield "memory", _size(total)
        yield "address", record.url or ""
        yield "sockets", str(record.run_folder or "")
        yield "versions", ", ".join(f"{name} {version}" for name, version in record.versions.items())
    for name, path, size in found.sizes:
        yield name, f"{path} ({_size(size)})"
    yield "logs", str(found.folder.logs)


def _size(size: int) -> str:
    return f"{size / MIB:.1f} MiB" if size < 10 * MIB else f"{size / MIB:.0f} MiB"


def _stopped(process: ProcessRecord) -> str:
    return f"stopped {process.name} (pid {process.pid})"


def _show_next_step(folder: DataFolder) -> None:
    record = _measure(folder).record
    url = (record.url if record else None) or ""
    _print_facts([("Address", url), ("Key file", str(folder.admin_key)), ("Next step", "shim connect claude-code")])


def _print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Names and values; a long path stays in one piece, to be copied."""
    for name, value in facts:
        console().print(f"{name:<10} {value}", soft_wrap=True)


def _choose(logs: list[LogFile], process: str | None) -> list[LogFile]:
    chosen = [log for log in logs if process in (None, log.name)]
    if not chosen:
        names = ", ".join(log.name for log in logs) or "none yet"
        raise BadConfiguration(f"There is no such log. There are: {names}.")
    return chosen


def _lines(logs: list[LogFile], lines: int, *, following: bool) -> Iterator[tuple[LogFile, str]]:
    new = follow(logs)
    for log in logs:
        yield from ((log, line) for line in log.tail(lines))
    if following:
        with contextlib.suppress(KeyboardInterrupt):
            yield from new

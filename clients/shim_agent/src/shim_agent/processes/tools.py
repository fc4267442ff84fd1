"""Which processes a session's tools started."""

import os
import shlex
import time
from collections.abc import Callable, Iterable, Mapping

import psutil

from shim_agent.processes.identity import is_alive
from shim_common.contracts.sessions import ToolProcess

MAX_TOOLS = 200
"""Tool processes in one message: the contract's limit."""

_MAX_COMMAND = 4096
_SESSION_VARIABLES = ("CLAUDE_CODE_SESSION_ID", "CODEX_THREAD_ID")
"""How clients name their session to the tools they run."""

_SHIM_VARIABLE = "SHIM_RUN_DIR"
"""Set in every process of SHIM's own stack. Started from a session, those are not its tools."""

_SETTLED_SECONDS = 5.0
"""Between fork and exec a process still shows its parent's environment; after this long it shows its own."""


class ToolProcesses:
    """Remembers the tool processes of each session, so that they are known when their client is gone.

    A tool process descends from the client, was seen to do so before, or carries the session's id in its
    environment. Only the user's own processes are asked for their environment.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._known: dict[str, set[psutil.Process]] = {}
        self._session_of: dict[psutil.Process, str | None] = {}

    def look(self, clients: Mapping[psutil.Process, str], orphaned: Iterable[str] = ()) -> dict[str, list[ToolProcess]]:
        """Return the living tool processes of every session asked for.

        `clients` are the living client processes with their sessions; `orphaned` are sessions without one.
        """
        everyone = list(psutil.process_iter())
        children = _children(everyone)
        self._read_environments(everyone)
        found = {session: set(self._known.get(session, ())) for session in (*clients.values(), *orphaned)}
        for client, session in clients.items():
            found[session] |= _descendants(client.pid, children)
        for process, named in self._session_of.items():
            if named in found and clients.get(process) != named:
                found[named].add(process)
        for session, processes in found.items():
            self._known[session] = {process for process in processes if is_alive(process)}
        return {session: [*_described(self._known[session])] for session in found}

    def forget(self, session: str) -> None:
        """Stop remembering a session whose client is gone."""
        self._known.pop(session, None)

    def _read_environments(self, everyone: Iterable[psutil.Process]) -> None:
        known = self._session_of
        self._session_of = {}
        for process in everyone:
            if process in known:
                self._session_of[process] = known[process]
                continue
            session = _session_in_environment(process)
            if session is not None or self._is_settled(process):
                self._session_of[process] = session

    def _is_settled(self, process: psutil.Process) -> bool:
        try:
            return self._now() - process.create_time() > _SETTLED_SECONDS
        except psutil.Error:
            return False


def _session_in_environment(process: psutil.Process) -> str | None:
    try:
        if process.uids().real != os.getuid():
            return None
        environment = process.environ()
    except (psutil.Error, OSError):
        return None
    if _SHIM_VARIABLE in environment:
        return None
    return next((environment[name] for name in _SESSION_VARIABLES if environment.get(name)), None)


def _children(everyone: Iterable[psutil.Process]) -> dict[int, list[psutil.Process]]:
    children: dict[int, list[psutil.Process]] = {}
    for process in everyone:
        try:
            children.setdefault(process.ppid(), []).append(process)
        except psutil.Error:
            continue
    return children


def _descendants(pid: int, children: dict[int, list[psutil.Process]]) -> set[psutil.Process]:
    found: set[psutil.Process] = set()
    open_ends = [pid]
    while open_ends:
        for child in children.get(open_ends.pop(), ()):
            if child not in found:
                found.add(child)
                open_ends.append(child.pid)
    return found


def _described(processes: Iterable[psutil.Process]) -> Iterable[ToolProcess]:
    for process in sorted(processes, key=lambda one: one.pid)[:MAX_TOOLS]:
        try:
            yield ToolProcess(pid=process.pid, created=process.create_time(), command=_command(process))
        except psutil.Error:
            continue


def _command(process: psutil.Process) -> str:
    """Return the command line as text that any store takes."""
    text = shlex.join(process.cmdline()) or process.name()
    return text.encode(errors="replace").decode().replace("\0", " ")[:_MAX_COMMAND]

"""Where a session is brought back that has no terminal of its own: commands from the user's own file, and no others.

`SHIM_HOME/launchers.toml`:

    default = "kitty"

    [launchers.kitty]
    command = ["kitty", "--directory", "{project}", "{resume...}"]

`{project}` is the session's folder, `{session}` its id, and the element `{resume...}` becomes the arguments that go on
with the session. Nothing passes through a shell. Without the file, a window is opened in tmux if its server runs.
"""

import asyncio
import os
import shutil
import stat
import subprocess
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import psutil
from pydantic import AfterValidator, Field, ValidationError

from shim_agent.processes.exits import gone
from shim_common.contracts.base import Command
from shim_common.contracts.supervision import Name
from shim_common.kernel.errors import BadInput, Forbidden, NotFound, Unprocessable

RESUME = "{resume...}"
LAUNCH_SECONDS = 10.0
"""A launcher that has not ended by then is a terminal that stays in the foreground."""

_TOLD_CHARACTERS = 300

_staying: set["subprocess.Popen[bytes]"] = set()
"""Launchers that were not seen to end; kept so that they are taken note of when they do."""


def _has_resume(command: list[str]) -> list[str]:
    if command.count(RESUME) != 1:
        raise ValueError(f"must have the element {RESUME} once")
    return command


class Launcher(Command):
    """A command that opens a terminal and runs a client in it."""

    command: Annotated[list[str], Field(min_length=2), AfterValidator(_has_resume)]

    def arguments(self, project: str, session: str, resume: Sequence[str]) -> list[str]:
        """Return the command with its placeholders filled."""
        filled: list[str] = []
        for element in self.command:
            if element == RESUME:
                filled.extend(resume)
            else:
                filled.append(element.replace("{project}", project).replace("{session}", session))
        return filled


class _File(Command):
    default: Name | None = None
    launchers: dict[Name, Launcher] = Field(default_factory=dict)


TMUX = Launcher(command=["tmux", "new-window", "-c", "{project}", "--", RESUME])


def launchers_file(home: Path) -> Path:
    """Return where the user names launchers."""
    return home / "launchers.toml"


def read_launchers(home: Path) -> tuple[dict[str, Launcher], str | None]:
    """Return the user's launchers and the name of the one that is used where none is named.

    Raises:
        Forbidden: somebody else could have written the file.
        BadInput: it cannot be understood.
    """
    path = launchers_file(home)
    try:
        with path.open("rb") as file:
            _check_owner(path, os.fstat(file.fileno()))
            _check_owner(home, home.stat())
            read = _File.model_validate(tomllib.load(file))
    except FileNotFoundError:
        return {}, None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be understood: {error}", code="launchers_unreadable") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadInput(f"{path}: {where}: {first['msg']}", code="launchers_unreadable") from error
    default = read.default or (next(iter(read.launchers)) if len(read.launchers) == 1 else None)
    return read.launchers, default


async def choose(home: Path, name: str | None) -> tuple[str, Launcher]:
    """Return the launcher of this name, or the one for sessions that name none.

    Raises:
        NotFound: there is none of this name, or none at all.
        Forbidden, BadInput: as for `read_launchers`.
    """
    known, default = read_launchers(home)
    wanted = name or default
    if wanted in known:
        return wanted, known[wanted]
    if wanted == "tmux" or (wanted is None and await _tmux_runs()):
        return "tmux", TMUX
    if wanted is None:
        raise NotFound(f"no tmux server runs, and {launchers_file(home)} names no launcher", code="no_launcher")
    raise NotFound(f"{launchers_file(home)} names no launcher {wanted!r}", code="no_launcher")


async def launch(arguments: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
    """Run a launcher's command in a folder, in a session of its own; return once it ended or shows that it stays.

    Raises:
        Unprocessable: it cannot be run, or failed.
    """
    _staying.difference_update([one for one in _staying if one.poll() is not None])
    with tempfile.TemporaryFile() as told:  # a pipe would break when the agent ends, a terminal may outlive it
        try:
            process = subprocess.Popen(  # noqa: ASYNC220 - asyncio would end a terminal that stays, with the agent
                list(arguments),
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=told,
                start_new_session=True,
            )
        except OSError as error:
            raise Unprocessable(f"{arguments[0]} cannot be run: {error}", code="launch_failed") from error
        _staying.add(process)
        with suppress(TimeoutError, psutil.Error):
            async with asyncio.timeout(LAUNCH_SECONDS):
                await gone(psutil.Process(process.pid))
        if process.poll():
            told.seek(0)
            words = told.read().decode(errors="replace").strip()[-_TOLD_CHARACTERS:]
            raise Unprocessable(f"{arguments[0]} ended with {process.returncode}: {words}", code="launch_failed")


def _check_owner(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Forbidden(f"{path} can be written by others; run: chmod go-w {path}", code="launchers_open")


async def _tmux_runs() -> bool:
    if shutil.which("tmux") is None:
        return False
    process = await asyncio.create_subprocess_exec(
        "tmux",
        "has-session",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await process.wait() == 0

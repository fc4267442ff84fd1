"""A child process as data: what to run, as whom, when it is ready, how it stops; and how it is started."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from shim_common.embedded.account import Account, current_account
from shim_common.embedded.errors import StartError
from shim_common.embedded.identity import GRACEFUL, StopStep

PRIVATE_UMASK = 0o077
POLL_SECONDS = 0.01
READY_SECONDS = 60.0  # recovery after a crash replays at most max_wal_size; seconds on a slow disk
_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


async def nothing() -> None:
    """Nothing to prepare, or ready as soon as it runs."""


@dataclass(frozen=True)
class Program:
    """One child process.

    `prepare` runs before every start, `ready` returns once the process can be used; both raise where that
    cannot be. `stop` is also told to the kernel: the first signal is sent when the parent dies (Linux).
    `after` names the programs that must be ready first.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    prepare: Callable[[], Awaitable[None]] = nothing
    ready: Callable[[], Awaitable[None]] = nothing
    ready_seconds: float = READY_SECONDS
    account: Account = field(default_factory=current_account)
    stop: Sequence[StopStep] = GRACEFUL
    after: Sequence[str] = ()


async def spawn(program: Program, output: IO[bytes] | int) -> asyncio.subprocess.Process:
    """Start `program` with both its outputs going to `output`, in a session of its own, private by its umask.

    Raises OSError where it cannot be started, PermissionError where its user cannot be taken on.
    """
    return await run_as(program.account, program.argv, program.env, output, orphan_signal=program.stop[0].signal)


async def run_as(
    account: Account,
    argv: Sequence[str],
    env: Mapping[str, str],
    output: IO[bytes] | int,
    *,
    stdin: int = asyncio.subprocess.DEVNULL,
    orphan_signal: signal.Signals = signal.SIGKILL,
) -> asyncio.subprocess.Process:
    """Start `argv` as `account`; `orphan_signal` reaches it when this process dies (Linux)."""
    other = not account.is_current
    return await asyncio.create_subprocess_exec(
        *argv,
        env=dict(env),
        cwd="/",  # every user may be there, and no folder is kept busy
        stdin=stdin,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # the terminal's Ctrl-C is for the parent, which stops its children in order
        umask=PRIVATE_UMASK,
        user=account.uid if other else None,
        group=account.gid if other else None,
        extra_groups=() if other else None,
        preexec_fn=_die_with_parent(orphan_signal),
    )


async def wait_until_ready(program: Program, process: asyncio.subprocess.Process) -> None:
    """Return when `program`, running as `process`, is ready.

    Raises StartError where it ends before, or is not ready in its time; and what `ready` raises.
    """
    ready = asyncio.ensure_future(program.ready())
    end = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait((ready, end), timeout=program.ready_seconds, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            return ready.result()
        if end.done():
            raise StartError(f"{program.name} ended with {describe_exit(end.result())} before it was ready")
        raise StartError(f"{program.name} was not ready in {program.ready_seconds:.0f} s")
    finally:
        for task in (ready, end):
            task.cancel()
        await asyncio.gather(ready, end, return_exceptions=True)


async def stop(process: asyncio.subprocess.Process, steps: Sequence[StopStep]) -> None:
    """Go through `steps` until `process` has ended."""
    for step in steps:
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            process.send_signal(step.signal)
            async with asyncio.timeout(step.grace):
                await process.wait()


@contextlib.asynccontextmanager
async def running(program: Program, output: IO[bytes] | int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `program` for the length of a block: prepared and ready at its begin, stopped at its end.

    Raises what `spawn` and `wait_until_ready` raise.
    """
    await program.prepare()
    process = await spawn(program, output)
    try:
        await wait_until_ready(program, process)
        yield process
    finally:
        await stop(process, program.stop)


def describe_exit(code: int) -> str:
    """An exit code in words: `exit code 1`, `SIGKILL`, `signal 40`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:  # a real-time signal
        return f"signal {-code}"


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    """Ask `check` every 10 ms until it says yes. The caller sets the deadline."""
    while not await check():  # noqa: ASYNC110 - other processes set no event of ours
        await asyncio.sleep(POLL_SECONDS)


def _die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """What the child does between fork and exec so that the kernel signals it when its parent ends.

    The kernel means the thread that forked: the event loop's, which is the main one here.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it ended before the kernel knew
            os._exit(1)

    return bind

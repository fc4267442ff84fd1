"""A process that keeps one store for a test run: `python -m shim_common.testing.keeper postgres|valkey`.

It prints the store's address as one line of JSON and holds the store until its standard input ends, which it does
whenever the test process ends, killed or not. Then the store is stopped and its folder removed.
"""

import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from shim_common.embedded.account import Account, store_account
from shim_common.embedded.identity import StopStep
from shim_common.embedded.postgres import embedded_postgres
from shim_common.embedded.program import Program, running
from shim_common.embedded.run_folder import choose_run_folder
from shim_common.embedded.valkey import embedded_valkey

AT_ONCE = (StopStep(signal.SIGQUIT, 5.0), StopStep(signal.SIGKILL, 2.0))  # nobody reads the data again


async def keep(store: str) -> None:
    """Hold `store` in folders of its own until standard input ends."""
    account = store_account()
    with _folders(account) as (folder, run_folder):
        program, url = await _describe(store, folder, run_folder, account)
        await _hold(program, url, folder)


@contextmanager
def _folders(account: Account) -> Iterator[tuple[Path, Path]]:
    folder = Path(tempfile.mkdtemp(prefix="shim-test-"))
    folder.chmod(0o711)  # the user Postgres runs as gets through, others see nothing
    run_folder = choose_run_folder(folder, account, environ={})
    try:
        yield folder, run_folder
    finally:
        shutil.rmtree(run_folder, ignore_errors=True)
        shutil.rmtree(folder)


async def _describe(store: str, folder: Path, run_folder: Path, account: Account) -> tuple[Program, str]:
    if store == "valkey":
        valkey = embedded_valkey(folder / "valkey", run_folder)
        return valkey.program(), valkey.url()
    postgres = await embedded_postgres(folder, folder / "postgres", run_folder, account, durable=False)
    return replace(postgres.program(), stop=AT_ONCE), postgres.url()


async def _hold(program: Program, url: str, folder: Path) -> None:
    with (folder / "log").open("ab") as log:
        async with running(program, log) as process:
            sys.stdout.write(json.dumps({"url": url, "pid": process.pid}) + "\n")
            sys.stdout.flush()
            await _end_of_input()


async def _end_of_input() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


if __name__ == "__main__":
    asyncio.run(keep(sys.argv[1]))

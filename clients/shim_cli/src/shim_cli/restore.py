"""`shim restore`: a project's files as they were, into a folder of one's choice or in place."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from shim_agent import restore as agent
from shim_agent.connections import read_connections
from shim_agent.gateway import Gateway
from shim_cli.api import Api
from shim_cli.errors import Refused
from shim_cli.home import Home
from shim_cli.output import plain
from shim_common.contracts.sessions import SnapshotFiles
from shim_common.kernel.clock import SystemClock
from shim_common.kernel.errors import NotFound

_CHECKPOINT = "ckp_"
_MARKS = {agent.Action.CREATE: "+", agent.Action.CHANGE: "~", agent.Action.DELETE: "-"}


def add_to(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command("restore")(restore)


def restore(
    source: Annotated[str, typer.Argument(metavar="CHECKPOINT|SNAPSHOT", help="What to go back to.")],
    to: Annotated[Path | None, typer.Option(help="The folder to write the files into.", file_okay=False)] = None,
    in_place: Annotated[bool, typer.Option("--in-place", help="Write into the project, after a backup.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
) -> None:
    """Bring a project's files back, byte for byte. Nothing in .git is ever touched."""
    if (to is not None) is in_place:
        raise Refused("say where the files go: either --to FOLDER or --in-place")
    home = Home.here()
    with Api.of(home) as api:
        manifest = files_of(api, source)
        project = Path(api.session(manifest.snapshot.session_id).project)
    without = [home.folder, *(connection.config_dir for connection in read_connections(home.folder))]
    folder = project if to is None else to.expanduser().absolute()
    plan = agent.plan_restore(manifest, folder, in_place=in_place, without=without)
    show(plan)
    if not dry_run and plan.changes:
        done = asyncio.run(_carry_out(plan, home, manifest.snapshot.session_id, without))
        report(done)


def files_of(api: Api, source: str) -> SnapshotFiles:
    """Return the files of a snapshot, or those that belong to a checkpoint.

    Raises:
        NotFound: there is no such thing, or the checkpoint has no files.
        ApiProblem: SHIM refused.
    """
    if not source.startswith(_CHECKPOINT):
        return api.snapshot(source)
    checkpoint = api.checkpoint(source).checkpoint
    if checkpoint.snapshot_id is None:
        raise NotFound(
            f"checkpoint {checkpoint.number} was made without files; `shim checkpoints {checkpoint.session_id}` "
            "shows which have some"
        )
    return api.snapshot(checkpoint.snapshot_id)


def show(plan: agent.RestorePlan) -> None:
    """Print every file that changes, and their number."""
    for change in plan.changes:
        typer.echo(plain(f"{_MARKS[change.action]} {change.path}"))
    counts = Counter(change.action for change in plan.changes)
    typer.echo(
        f"{plan.folder}: {counts[agent.Action.CREATE]} to create, {counts[agent.Action.CHANGE]} to change, "
        f"{counts[agent.Action.DELETE]} to delete, {plan.unchanged} the same already"
    )


def report(done: agent.Restored) -> None:
    """Print what was done, and where the former state is."""
    typer.echo(f"Restored: {done.written} written and read back, {done.deleted} deleted.")
    if done.backup is not None:
        typer.echo(f"What was replaced or deleted is in {done.backup}.")
    if done.before is not None:
        typer.echo(
            f"The state before is snapshot {done.before.id}; undo with: shim restore {done.before.id} --in-place"
        )


async def _carry_out(plan: agent.RestorePlan, home: Home, session: str, without: list[Path]) -> agent.Restored:
    async with Gateway(home.url, home.key_file) as gateway:
        return await agent.restore(plan, gateway, home.folder, SystemClock(), session=session, without=without)

"""`shim run -- COMMAND...`: an assistant that comes back by itself."""

import asyncio
import errno
import os
from pathlib import Path
from typing import Annotated

import typer

from shim_agent.supervision.deciding import Decider, boot_id
from shim_agent.supervision.policies import Policies
from shim_agent.supervision.store import Store
from shim_cli.errors import Refused
from shim_cli.home import Home
from shim_cli.output import complain
from shim_cli.run.children import take_in_orphans
from shim_cli.run.client import CannotRun
from shim_cli.run.exits import Exit, leave
from shim_cli.run.supervisor import Supervisor
from shim_cli.run.terminal import Terminal
from shim_common.contracts.supervision import ToolsPolicy
from shim_common.kernel.clock import SystemClock
from shim_common.kernel.ids import TimeOrderedIds

NOT_FOUND, NOT_RUNNABLE = 127, 126
"""The shell's exit codes for a program that is not there, and for one that may not be run."""


def add_to(app: typer.Typer) -> None:
    """Add this command to the application."""
    settings = {"ignore_unknown_options": True, "allow_interspersed_args": False}
    app.command("run", context_settings=settings)(run)


def run(
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="The assistant, as you start it.")],
    policy: Annotated[str, typer.Option(help="The restart policy.")] = "default",
    tools: Annotated[
        ToolsPolicy | None, typer.Option(help="What becomes of tools that outlive the client [default: the policy's].")
    ] = None,
) -> None:
    """Run an assistant, and go on with its session in this terminal if it crashes.

    Everything is as if SHIM were not there: keys, colours, Ctrl-Z, the exit code. SHIM need not be running. Other
    commands than assistants are run as they are.
    """
    home = Home.here().folder
    policies = Policies(home)
    if policies.named(policy) is None:
        raise Refused(f"this machine knows no policy {policy!r}, only {', '.join(policies.names())}")
    leave(_supervised(home, command, policy, tools, policies))


def _supervised(home: Path, command: list[str], policy: str, tools: ToolsPolicy | None, policies: Policies) -> Exit:
    clock, store, boot = SystemClock(), Store(home), boot_id()
    supervisor = Supervisor(
        command,
        policy,
        tools,
        home=home,
        terminal=Terminal() if Terminal.is_here() else None,
        store=store,
        policies=policies,
        decider=Decider(store, policies, clock, boot),
        clock=clock,
        ids=TimeOrderedIds(clock),
        boot=boot,
    )
    take_in_orphans()
    try:
        return asyncio.run(supervisor.run())
    except CannotRun as error:
        number = int(error.args[0])
        complain(f"{command[0]}: {os.strerror(number)}")
        return Exit(code=NOT_FOUND if number == errno.ENOENT else NOT_RUNNABLE)

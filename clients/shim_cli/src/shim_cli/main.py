"""The `shim` command: its own subcommands, and those that other packages add.

A package adds a subcommand through an entry point in the group `shim.commands`: a function, whose docstring is its
help, or a typer application for a family of commands.

Exit codes: 0 done; 1 it did not work, or the answer is no; 2 the command makes no sense or would do harm; 3 SHIM is
not running.
"""

import logging
import sys
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Any

import structlog
import typer
from typer.core import TyperGroup

from shim_cli.errors import exit_code
from shim_cli.output import JsonOption, complain, print_facts, print_json
from shim_common.kernel.errors import ShimError

COMMAND_GROUP = "shim.commands"


class ShimGroup(TyperGroup):
    """Turns errors that are meant for the user into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - click's context, of the copy that typer keeps to itself
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except ShimError as error:
            complain(str(error))
            raise typer.Exit(exit_code(error)) from None


def application() -> typer.Typer:
    """Return the command with everything that is installed."""
    # Loaded here and not with this module: `shim run` starts without what it does not need.
    from shim_cli import demo, evaluate, events, keys, restore, resume, search, sessions, supervision
    from shim_cli.connect import commands as connecting
    from shim_cli.replay import command as replay
    from shim_cli.run import command as running
    from shim_cli.usage import command as usage

    app = _bare()
    app.command("version")(show_version)
    app.add_typer(connecting.connect, name="connect")
    app.add_typer(connecting.disconnect, name="disconnect")
    sessions.add_to(app)
    search.add_to(app)
    restore.add_to(app)
    resume.add_to(app)
    running.add_to(app)
    supervision.add_to(app)
    events.add_to(app)
    app.add_typer(keys.app, name="keys")
    app.command("replay")(replay.command)
    app.command("demo")(demo.command)
    app.command("usage")(usage.command)
    app.add_typer(evaluate.app, name="eval")
    for point in sorted(entry_points(group=COMMAND_GROUP), key=lambda point: point.name):
        add_installed(app, point)
    return app


def run_alone() -> typer.Typer:
    """Return the command with `shim run` alone, which a person waits for each time that they start an assistant."""
    from shim_cli.run import command as running

    app = _bare()
    app.callback()(lambda: None)  # a single command would lose its name
    running.add_to(app)
    return app


def _bare() -> typer.Typer:
    return typer.Typer(
        cls=ShimGroup,
        help="Keep AI coding sessions safe across crashes.",
        epilog="Exit codes: 0 done, 1 it did not work, 2 wrong usage, 3 SHIM is not running.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def add_installed(app: typer.Typer, point: EntryPoint) -> None:
    """Add the subcommand that another package brings."""
    try:
        command = point.load()
    except Exception as error:  # noqa: BLE001 - a broken package must not take the whole command with it
        complain(f"the command {point.name!r} of {point.value} cannot be loaded: {error!r}")
        return
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=point.name)
    else:
        app.command(point.name)(command)


def show_version(
    local: Annotated[bool, typer.Option("--local", help="Do not ask the running SHIM.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the version of this command and of the SHIM that runs."""
    from shim_cli.api import Api
    from shim_cli.home import Home

    facts: dict[str, object] = {"command": version("shim-cli")}
    if not local:
        with Api.of(Home.here()) as api:
            stack = api.version()
        facts |= {"stack": stack.version, "api": stack.api, "data": stack.data}
    print_json(facts) if as_json else print_facts(facts.items())


def main() -> None:
    """Run the command. Of what the libraries log, warnings are shown."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    app = run_alone() if sys.argv[1:2] == ["run"] else application()
    app()

"""`shim service install`, `uninstall` and `status`: entry points of the group `shim.commands`."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from shim_cli.output import JsonOption, console, print_facts, print_json
from shim_stack.commands import EXIT_NOT_RUNNING
from shim_stack.service.errors import NoServiceManager
from shim_stack.service.install import install as install_service
from shim_stack.service.install import uninstall as uninstall_service
from shim_stack.service.launchd import Launchd
from shim_stack.service.manager import Manager
from shim_stack.service.spec import ServiceSpec, service_spec
from shim_stack.service.status import ServiceStatus, service_status
from shim_stack.service.systemd import Systemd
from shim_stack.settings import data_folder

service = typer.Typer(help="Let the system start SHIM at login and keep it running.", no_args_is_help=True)


def choose_manager(platform: str, environ: Mapping[str, str]) -> Manager:
    """The service manager of this platform. Raises NoServiceManager where there is none."""
    match platform:
        case "linux":
            return Systemd(environ)
        case "darwin":
            return Launchd(Path.home())
        case "win32":
            raise NoServiceManager("On Windows SHIM runs inside WSL2: install it there and run this command there.")
        case _:
            raise NoServiceManager(f"SHIM knows no service manager on {platform}; start it with `shim up`.")


@service.command()
def install(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Listen here.")] = None,
    split: Annotated[bool, typer.Option("--split", help="Run each service in a process of its own.")] = False,
    keep: Annotated[
        list[str] | None, typer.Option(help="Give it this variable too, as it is now, such as PATH.")
    ] = None,
    render: Annotated[bool, typer.Option("--render", help="Print the file instead; change nothing.")] = False,
) -> None:
    """Start SHIM now and at every login, by systemd (Linux) or launchd (macOS).

    It gets SHIM_HOME, SHIM_BIND, SHIM_SPLIT, DATABASE_URL and REDIS_URL as they are now; run this again after a
    change. A stack that runs by `shim up` is stopped and handed over.
    """
    manager = choose_manager(sys.platform, os.environ)
    spec = service_spec(os.environ, port=port, split=split, keep=keep or ())
    if render:
        typer.echo(manager.render(spec)[0].content, nl=False)
        return
    if not install_service(manager, spec, _say):
        _say(f"SHIM is installed as a {manager.kind} and runs; nothing to do.")
        return
    _explain(manager, spec)


@service.command()
def uninstall() -> None:
    """Stop SHIM and take the service out. Your data stays; `shim up` starts SHIM by hand."""
    manager = choose_manager(sys.platform, os.environ)
    done = uninstall_service(manager, _say)
    _say("SHIM is no longer a service. Your data stays." if done else "SHIM is not installed as a service.")


@service.command()
def status(as_json: JsonOption = False) -> None:
    """Show whether the service is installed, enabled and running. Exit code 0 where it runs, else 3."""
    manager = choose_manager(sys.platform, os.environ)
    found = service_status(manager, data_folder())
    if as_json:
        print_json(found)
    else:
        print_facts(_facts(found, manager))
    if not found.running:
        raise typer.Exit(EXIT_NOT_RUNNING)


def _say(text: str) -> None:
    console().print(text, soft_wrap=True)


def _explain(manager: Manager, spec: ServiceSpec) -> None:
    """Say what the service was given, by name, and when it will run."""
    given = ", ".join(("SHIM_HOME", *sorted(spec.environ)))
    _say(f"It was given {given}, and nothing else of this shell: for PATH or another variable use --keep.")
    if advice := manager.advice():
        _say(advice)


def _facts(found: ServiceStatus, manager: Manager) -> Iterator[tuple[str, object]]:
    yield "service", f"{found.kind} {found.file}"
    yield "installed", found.installed
    yield "enabled", _known(found.enabled)
    yield "running", _known(found.running)
    yield "pid", found.pid
    yield "state", found.detail
    yield "data", found.home
    yield "by hand", f"pid {found.by_hand}, started by `shim up`" if found.by_hand else None
    yield "version", found.running_version
    yield "command", found.version
    yield "note", manager.advice() if found.installed and found.running is not None else None


def _known(value: bool | None) -> object:
    return "unknown" if value is None else value

"""`shim connect` and `shim disconnect`."""

import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from shim_cli.connect import claude_code, claude_desktop, client_versions, codex
from shim_cli.connect.claude_code import Transport, Wish
from shim_cli.connect.disk import Edit
from shim_cli.connect.layout import ClaudeCodeFiles, CodexFiles, Scope, desktop_file
from shim_cli.connect.settings_file import KEY_VARIABLE
from shim_cli.home import Home
from shim_cli.output import plain
from shim_common.kernel.clock import SystemClock

connect = typer.Typer(help="Let SHIM see an assistant's sessions.", no_args_is_help=True)
disconnect = typer.Typer(help="Take SHIM out of an assistant's settings again.", no_args_is_help=True)

ConfigDir = Annotated[
    Path | None, typer.Option(help="The client's configuration folder [default: $CLAUDE_CONFIG_DIR or ~/.claude].")
]
CodexHome = Annotated[
    Path | None, typer.Option("--config-dir", help="Codex's folder [default: $CODEX_HOME or ~/.codex].")
]
ScopeOption = Annotated[Scope, typer.Option(help="All your projects, or the one in --project.")]
Project = Annotated[Path, typer.Option(help="The project, for --scope project.", file_okay=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]
File = Annotated[Path | None, typer.Option(help="The configuration file, where it is not in the usual place.")]


@connect.command("claude-code")
def connect_claude_code(
    config_dir: ConfigDir = None,
    scope: ScopeOption = Scope.USER,
    project: Project = Path(),
    hooks: Annotated[Transport, typer.Option(help="How hooks reach SHIM; auto is command.")] = Transport.AUTO,
    client_version: Annotated[str | None, typer.Option(help="Instead of asking `claude --version`.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Write SHIM's hooks and MCP server into Claude Code's settings, and keep all that is there."""
    home = Home.here()
    named = client_versions.parse_version(client_version) if client_version else None
    files = ClaudeCodeFiles.of(os.environ, scope, config_dir=config_dir, project=project.resolve())
    wish = Wish(files, scope, hooks, named or client_versions.installed_version())
    plan = claude_code.plan(wish, home, os.environ)
    clock = SystemClock()
    if dry_run:
        _show(claude_code.edits(plan, claude_code.editor_for(home, files, clock)))
    else:
        _report(claude_code.connect(plan, home, clock), done="connected", needless="connected already")
        typer.echo("Sessions that run now take the hooks up when they are started again.")
    for note in plan.notes:
        typer.echo(f"Note: {note}.", err=True)


@disconnect.command("claude-code")
def disconnect_claude_code(
    config_dir: ConfigDir = None, scope: ScopeOption = Scope.USER, project: Project = Path()
) -> None:
    """Take SHIM's hooks and MCP server out of Claude Code's settings. Stored sessions stay."""
    files = ClaudeCodeFiles.of(os.environ, scope, config_dir=config_dir, project=project.resolve())
    made = claude_code.disconnect(files, Home.here(), SystemClock())
    _report(made, done="disconnected", needless="was not connected")


@connect.command("claude-desktop")
def connect_claude_desktop(file: File = None, dry_run: DryRun = False) -> None:
    """Register SHIM's MCP server with Claude Desktop, and say what is kept and what is not."""
    home, clock = Home.here(), SystemClock()
    path = file or desktop_file(os.environ)
    if dry_run:
        editor = claude_desktop.editor_for(path, home, clock)
        _show([editor.connected(path, claude_desktop.addition(home))])
        return
    edit = claude_desktop.connect(path, home, clock)
    _report([edit], done="connected; restart Claude Desktop", needless="connected already")
    typer.echo(claude_desktop.KEPT)


@disconnect.command("claude-desktop")
def disconnect_claude_desktop(file: File = None) -> None:
    """Take SHIM's MCP server out of Claude Desktop's configuration."""
    edit = claude_desktop.disconnect(file or desktop_file(os.environ), Home.here(), SystemClock())
    _report([edit], done="disconnected; restart Claude Desktop", needless="was not connected")


@connect.command("codex")
def connect_codex(
    config_dir: CodexHome = None,
    client_version: Annotated[str | None, typer.Option(help="Instead of asking `codex --version`.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Write SHIM's hooks and MCP server into Codex's settings, and keep all that is there."""
    home, clock = Home.here(), SystemClock()
    version = client_versions.parse_codex(client_version) if client_version else client_versions.installed_codex()
    plan = codex.plan(CodexFiles.of(os.environ, config_dir), version, home, os.environ)
    if dry_run:
        _show(codex.edits(plan, home, clock))
    else:
        _report(codex.connect(plan, home, clock), done="connected", needless="connected already")
    for note in plan.notes:
        typer.echo(f"Note: {note}.", err=True)


@disconnect.command("codex")
def disconnect_codex(config_dir: CodexHome = None) -> None:
    """Take SHIM's hooks and MCP server out of Codex's settings. Stored sessions stay."""
    made = codex.disconnect(CodexFiles.of(os.environ, config_dir), Home.here(), SystemClock())
    _report(made, done="disconnected", needless="was not connected")


def _report(edits: Sequence[Edit], *, done: str, needless: str) -> None:
    changed = [edit for edit in edits if edit.changes]
    for edit in changed:
        typer.echo(f"{'Removed' if edit.after is None else 'Wrote'} {edit.path}")
    typer.echo((done if changed else needless).capitalize() + ".")


def _show(edits: Sequence[Edit]) -> None:
    """Print the edits as a unified diff, the key left out."""
    for edit in edits:
        before, after = ((content or b"").decode("utf-8-sig") for content in (edit.found.content, edit.after))
        lines = difflib.unified_diff(
            before.splitlines(keepends=True), after.splitlines(keepends=True), str(edit.path), str(edit.path)
        )
        typer.echo(_without_key(plain("".join(lines))) or f"{edit.path}: no change")


def _without_key(text: str) -> str:
    return re.sub(rf'("{KEY_VARIABLE}"\s*:\s*")[^"]*', r"\1…", text)

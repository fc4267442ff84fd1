"""`shim keys`: who may do what."""

from typing import Annotated

import typer

from shim_cli.api import Api
from shim_cli.home import Home
from shim_cli.output import JsonOption, print_facts, print_json, print_table
from shim_common.contracts.access import MadeKey, NewKey, Scope

app = typer.Typer(help="List, make, rotate and revoke keys.", no_args_is_help=True)

KeyId = Annotated[str, typer.Argument(help="The key's id, as `shim keys list` shows it.")]


@app.command("list")
def list_keys(as_json: JsonOption = False) -> None:
    """List all keys. Secrets are shown once, when they are made."""
    with Api.of(Home.here()) as api:
        found = api.keys()
    if as_json:
        print_json(found)
        return
    rows = (
        (key.id, key.name, f"{key.prefix}…", " ".join(key.scopes), key.created_at, key.expires_at, key.revoked_at)
        for key in found
    )
    print_table(("key", "name", "begins", "scopes", "made", "expires", "revoked"), rows, empty="No keys.")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; give it several times.")],
    as_json: JsonOption = False,
) -> None:
    """Make a key and show its secret, once."""
    with Api.of(Home.here()) as api:
        _show(api.make_key(NewKey(name=name, scopes=scope)), as_json=as_json)


@app.command("rotate")
def rotate(key_id: KeyId, as_json: JsonOption = False) -> None:
    """Give a key a new secret and show it, once."""
    with Api.of(Home.here()) as api:
        _show(api.rotate_key(key_id), as_json=as_json)


@app.command("revoke")
def revoke(key_id: KeyId) -> None:
    """Make a key useless, for good."""
    with Api.of(Home.here()) as api:
        api.revoke_key(key_id)
    typer.echo(f"{key_id} is revoked.")


def _show(key: MadeKey, *, as_json: bool) -> None:
    if as_json:
        print_json(key)
        return
    print_facts([("key", key.id), ("name", key.name), ("scopes", " ".join(key.scopes)), ("secret", key.secret)])
    typer.echo("Keep the secret now; it is not shown again.", err=True)

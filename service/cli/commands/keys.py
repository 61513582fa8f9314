"""runfold keys."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson
from rich.console import Console
from rich.table import Table

from service.auth import keys
from service.auth.keys import Key, ScopeName
from service.cli.commands.database import attached, migrate
from service.cli.commands.options import database_options
from service.database.connections import Connections

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,127}")

T = TypeVar("T")


@click.group("keys", short_help="Create, list and revoke API keys.")
def command() -> None:
    """Create, list and revoke API keys.

    A running service follows within 5 seconds. With `--auth auto` it asks callers for a key as soon as the
    first one was created, and goes on asking when all are revoked.
    """


def _named(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise click.BadParameter("up to 128 letters, digits and . _ @ : - please, beginning with a letter or digit.")
    return name


@command.command("create", short_help="Create a key; its secret is shown once.")
@click.argument("name", callback=_named)
@click.option("--scope", type=click.Choice(list(keys.SCOPES)), required=True, help="What the key allows.")
@click.option("--json", "as_json", is_flag=True, help="Print {name, scope, secret} for a script.")
@database_options
def create(name: str, scope: ScopeName, *, as_json: bool, database_url: str, data_dir: Path) -> None:
    """Create a key and show its secret, once: only its digest is kept.

    read: GET, and looking runs up. write: that, and everything that records. admin: everything. What the
    key's holder records carries NAME as its actor, for ever.
    """
    try:
        with attached(database_url, data_dir, must_exist=False) as dsn:
            migrate(dsn)
            secret = _with_link(dsn, lambda connections: keys.create_key(connections, name, scope))
    except keys.KeyExists:
        raise click.ClickException(f"There is a key {name} already; revoke it first, or take another name.") from None
    if as_json:
        click.echo(orjson.dumps({"name": name, "scope": scope, "secret": secret}))
        return
    click.echo(secret)
    click.echo(f"This secret of {name} ({scope}) cannot be shown again. Send it as:", err=True)
    click.echo("    Authorization: Bearer SECRET", err=True)


@command.command("list", short_help="List the keys.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array for a script.")
@database_options
def list_keys(*, as_json: bool, database_url: str, data_dir: Path) -> None:
    """List all keys there ever were, oldest first; secrets are known to nobody."""
    with attached(database_url, data_dir) as dsn:
        found = sorted(_with_link(dsn, keys.all_keys).values(), key=lambda key: key.created_at)
    if as_json:
        click.echo(orjson.dumps([_described(key) for key in found], option=orjson.OPT_UTC_Z))
    elif found:
        Console().print(_table(found))
    else:
        click.echo("There are no keys yet. Create one: runfold keys create NAME --scope write")


@command.command("revoke", short_help="Revoke a key.")
@click.argument("name")
@database_options
def revoke(name: str, *, database_url: str, data_dir: Path) -> None:
    """Revoke a key: within 5 seconds no service lets it in."""
    try:
        with attached(database_url, data_dir) as dsn:
            _with_link(dsn, lambda connections: keys.revoke_key(connections, name))
    except keys.NoSuchKey:
        raise click.ClickException(f"There is no key {name} in force; see: runfold keys list") from None
    click.echo(f"{name} is revoked; services stop taking it within 5 seconds.")


def _described(key: Key) -> dict[str, Any]:
    return {"name": key.name, "scope": key.scope, "createdAt": key.created_at, "revokedAt": key.revoked_at}


def _table(found: list[Key]) -> Table:
    table = Table("name", "scope", "created", "revoked", box=None)
    for key in found:
        times = (at.isoformat(timespec="seconds") if at else "" for at in (key.created_at, key.revoked_at))
        table.add_row(key.name, key.scope, *times, style="dim" if key.revoked_at else None)
    return table


def _with_link(dsn: str, work: Callable[[Connections], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        async with Connections(dsn) as connections:
            return await work(connections)

    return asyncio.run(run())

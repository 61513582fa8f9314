"""runfold keys."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.auth import keys
from service.auth.keys import Key, ScopeName
from service.cli.commands.database import attached, migrate
from service.cli.commands.options import actor_option, database_options
from service.cli.json_output import json_option, print_json
from service.cli.parameter_types import Text
from service.cli.text import printable, time_of
from service.database.connections import Connections
from service.domain.binding import Binding, parse_binding

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,127}")

_FIRST_KEY = (
    "This is the first key: within 5 seconds, services with --auth auto, the default, require a key for every request."
)

_FIELDS = ("name", "scope", "namespaces", "createdAt", "revokedAt")

T = TypeVar("T")


@click.group("keys", short_help="Create, list and revoke API keys.")
def command() -> None:
    """Create, list and revoke API keys.

    A running service applies changes within 5 seconds. With `--auth auto` it requires a key as soon as the first one
    was created, also after all keys are revoked.
    """


def _check_name(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise click.BadParameter(
            "it must have at most 128 letters, digits or . _ @ : - and begin with a letter or digit."
        )
    return name


def _read_binding(_context: click.Context, _parameter: click.Parameter, patterns: tuple[str, ...]) -> Binding | None:
    try:
        return parse_binding(patterns) if patterns else None
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


@command.command("create", short_help="Create a key; its secret is shown once.")
@click.argument("name", callback=_check_name)
@click.option("--scope", type=click.Choice(list(keys.SCOPES)), required=True, help="What the key allows; see above.")
@click.option(
    "namespaces",
    "--namespace",
    type=Text(),
    metavar="PATTERN",
    multiple=True,
    callback=_read_binding,
    help="Bind the key to a namespace, or with a * at the end to those that begin so. Repeatable.",
)
@json_option("name", "scope", "namespaces", "secret")
@actor_option
@database_options
def create(
    name: str,
    scope: ScopeName,
    namespaces: Binding | None,
    *,
    as_json: bool,
    actor: str,
    database_url: str,
    data_dir: Path,
) -> None:
    r"""Create a key and print its secret. It cannot be shown again: only its digest is stored.

    Scopes: `read` allows GET and run lookups, `write` also allows everything that records events, `admin` allows
    everything. Events that are recorded with the key have NAME as their actor.

    With `--namespace`, the key reads and records only what belongs to these namespaces; all else does not exist for it.
    `team-a-*` matches every name that begins with `team-a-`. In a name, write \* for an asterisk and \\ for a
    backslash.
    """
    if namespaces is not None and scope == "admin":
        raise click.UsageError("A key of scope admin is for everything; --namespace takes read or write.")
    try:
        with attached(database_url, data_dir, must_exist=False) as dsn:
            migrate(dsn)
            is_first = not asyncio.run(keys.any_key_exists(dsn))
            secret = _with_connections(
                dsn, lambda connections: keys.create_key(connections, name, scope, actor, namespaces)
            )
    except keys.KeyExists:
        raise click.ClickException(f"There is a key {name} already; revoke it first, or use another name.") from None
    try:
        if as_json:
            print_json({"name": name, "scope": scope, "namespaces": _patterns(namespaces), "secret": secret})
        else:
            click.echo(secret)
    except OSError as error:
        raise click.ClickException(
            f"The key {name} is created, but its secret cannot be written ({error.strerror}): revoke it, and create it"
            " again."
        ) from error
    if as_json:
        if is_first:
            click.echo(_FIRST_KEY, err=True)
        return
    bound = "" if namespaces is None else f", bound to {printable(str(namespaces))}"
    click.echo(f"This secret of {name} ({scope}{bound}) cannot be shown again. Send it as:", err=True)
    click.echo("    Authorization: Bearer SECRET", err=True)
    if is_first:
        click.echo(_FIRST_KEY, err=True)


@command.command("list", short_help="List the keys.")
@json_option(*_FIELDS, help_text="Print a JSON array, for scripts, of objects")
@database_options
def list_keys(*, as_json: bool, database_url: str, data_dir: Path) -> None:
    """List all keys, also revoked ones, oldest first. Secrets cannot be listed: they are not stored."""
    with attached(database_url, data_dir) as dsn:
        listed = sorted(_with_connections(dsn, keys.all_keys).values(), key=lambda key: key.created_at)
    if as_json:
        print_json([_key_view(key) for key in listed])
    elif listed:
        Console().print(_table(listed))
    else:
        click.echo("There are no keys yet. Create one: runfold keys create NAME --scope write")


@command.command("revoke", short_help="Revoke a key.")
@click.argument("name", callback=_check_name)
@json_option(*_FIELDS)
@actor_option
@database_options
def revoke(name: str, *, as_json: bool, actor: str, database_url: str, data_dir: Path) -> None:
    """Revoke a key. Running services reject it within 5 seconds."""
    try:
        with attached(database_url, data_dir) as dsn:
            _with_connections(dsn, lambda connections: keys.revoke_key(connections, name, actor))
            known = _with_connections(dsn, keys.all_keys).values()
    except keys.NoSuchKey:
        raise click.ClickException(f"There is no active key {name}; see: runfold keys list") from None
    if as_json:
        print_json(next(_key_view(key) for key in known if key.name == name))
        return
    click.echo(f"{name} is revoked; running services reject it within 5 seconds.")


def _key_view(key: Key) -> dict[str, Any]:
    return {
        "name": key.name,
        "scope": key.scope,
        "namespaces": _patterns(key.binding),
        "createdAt": key.created_at,
        "revokedAt": key.revoked_at,
    }


def _patterns(binding: Binding | None) -> list[str] | None:
    """Return the patterns of a key; None: it is for all namespaces."""
    return None if binding is None else list(binding.patterns)


def _table(listed: list[Key]) -> Table:
    table = Table("name", "scope", "namespaces", "created", "revoked", box=None)
    for key in listed:
        times = time_of(key.created_at), time_of(key.revoked_at)
        bound = "all" if key.binding is None else escape(printable(str(key.binding)))
        table.add_row(key.name, key.scope, bound, *times, style="dim" if key.revoked_at else None)
    return table


def _with_connections(dsn: str, work: Callable[[Connections], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        async with Connections(dsn) as connections:
            return await work(connections)

    return asyncio.run(run())

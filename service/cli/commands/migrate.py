"""runfold migrate."""

import asyncio
from pathlib import Path

import click

from service.cli.commands.database import attached, migrate
from service.cli.commands.options import database_options, require_option
from service.cli.json_output import json_option, print_json
from service.cli.parameter_types import Text
from service.database import migrations
from service.database.connections import Connections
from service.database.roles import grant, set_password

_MAX_ROLE_BYTES = 63
"""PostgreSQL's limit."""


def _check_role(_context: click.Context, _parameter: click.Parameter, role: str | None) -> str | None:
    if role is not None and (not role.strip() or len(role.encode()) > _MAX_ROLE_BYTES):
        raise click.BadParameter(f"the name of a role has 1 to {_MAX_ROLE_BYTES} bytes.")
    return role


@click.command("migrate", short_help="Bring the database's schema up to date.")
@database_options
@click.option("--sql", is_flag=True, help="Print the SQL of all migrations instead of running it.")
@click.option(
    "--role",
    type=Text(),
    metavar="NAME",
    callback=_check_role,
    help="Grant this role the rights that serving needs, and no others; create it if missing.",
)
@click.option(
    "--role-password",
    type=Text(),
    envvar="RUNFOLD_ROLE_PASSWORD",
    show_envvar=True,
    metavar="PASSWORD",
    help="With --role: set its password. Prefer the environment variable; other users can see arguments.",
)
@json_option("revision", "role", "roleCreated")
def command(
    database_url: str, data_dir: Path, *, sql: bool, role: str | None, role_password: str | None, as_json: bool
) -> None:
    """Bring the database's schema up to date. `runfold serve` does this when it starts.

    With --role, `runfold serve` can run as a role that cannot change or remove recorded events: it reads the ledger,
    appends to it through one function, and writes the catalog. Run it again after an upgrade.
    """
    if role is None:
        require_option(click.get_current_context(), "role_password", "--role")
    if sql and role is not None:
        raise click.UsageError(
            "--sql and --role cannot be combined: which rights to grant depends on the tables of a migrated database."
            " Migrate first, then run: runfold migrate --role NAME"
        )
    if sql and as_json:
        raise click.UsageError("--sql and --json cannot be combined: what --sql prints is no JSON.")
    if sql:
        click.echo(migrations.upgrade_sql())
        return
    with attached(database_url, data_dir, must_exist=False) as dsn:
        revision = migrate(dsn)
        is_newer = revision != migrations.newest_revision()
        created = asyncio.run(_grant(dsn, role, role_password)) if role and not is_newer else False
    if as_json:
        print_json({"revision": revision, "role": role, "roleCreated": created})
        return
    click.echo(f"The schema is at revision {revision}.")
    if is_newer:
        click.echo("A newer version made it, and this one may use it. Nothing was changed, nor the rights of any role.")
    elif role:
        click.echo(f"{role} can serve and cannot change what was recorded.")
    if created and role_password is None:
        click.echo(
            f"{role} is new and has no password yet: set one with ALTER ROLE ... PASSWORD, or \\password in psql."
        )


async def _grant(dsn: str, role: str, password: str | None) -> bool:
    async with Connections(dsn) as connections:
        created = await grant(connections, role)
        if password is not None:
            await set_password(connections, role, password)
        return created

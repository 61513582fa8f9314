"""runfold migrate."""

import asyncio
from pathlib import Path

import click

from service.cli.commands.database import attached, migrate
from service.cli.commands.options import database_options
from service.database import migrations
from service.database.connections import Connections
from service.database.roles import grant


@click.command("migrate", short_help="Bring the database's schema up to date.")
@database_options
@click.option("--sql", is_flag=True, help="Print the SQL of all migrations instead of running it.")
@click.option("--role", metavar="NAME", help="Give this role what serving takes, and no more; create it if need be.")
def command(database_url: str, data_dir: Path, *, sql: bool, role: str | None) -> None:
    """Bring the database's schema up to date; `serve` does so by itself.

    With --role, a role of this name can afterwards serve: it reads the ledger, appends to it through one function,
    and writes the catalog; it can change or remove nothing that was recorded. Run it again after an upgrade.
    """
    if sql:
        click.echo(migrations.upgrade_sql())
        return
    with attached(database_url, data_dir, must_exist=False) as dsn:
        migrate(dsn)
        created = asyncio.run(_grant(dsn, role)) if role else False
    click.echo(f"The schema is at revision {migrations.newest_revision()}.")
    if role:
        click.echo(f"{role} can serve, and change nothing that was recorded.")
    if created:
        click.echo(f"{role} is new and has no password yet: ALTER ROLE ... PASSWORD, or \\password in psql, gives one.")


async def _grant(dsn: str, role: str) -> bool:
    async with Connections(dsn) as connections:
        return await grant(connections, role)

"""runfold migrate."""

from pathlib import Path

import click

from service import migrations
from service.commands.database import attached, migrate
from service.commands.options import database_options


@click.command("migrate", short_help="Bring the database's schema up to date.")
@database_options
@click.option("--sql", is_flag=True, help="Print the SQL of all migrations instead of running it.")
def command(database_url: str, data_dir: Path, *, sql: bool) -> None:
    """Bring the database's schema up to date; `serve` does so by itself."""
    if sql:
        click.echo(migrations.upgrade_sql())
        return
    with attached(database_url, data_dir, must_exist=False) as dsn:
        migrate(dsn)
    click.echo(f"The schema is at revision {migrations.head()}.")

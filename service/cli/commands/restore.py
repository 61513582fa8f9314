"""runfold restore."""

import asyncio
from pathlib import Path

import click

from service.cli.commands.database import attached
from service.cli.commands.options import actor_option, archives_option, database_options
from service.maintenance.restore import restore_payloads


@click.command("restore", short_help="Bring archived payloads back.")
@click.argument("position", required=False, type=click.IntRange(min=1))
@archives_option
@actor_option
@database_options
def command(position: int | None, archives: Path | None, actor: str, database_url: str, data_dir: Path) -> None:
    """Bring archived payloads back into the database: those of the archive that holds POSITION, or all.

    The files are not deleted.
    """
    with attached(database_url, data_dir) as dsn:
        done = asyncio.run(restore_payloads(dsn, position, archives, actor=actor))
    for archive in done:
        span = f"Positions {archive.first} to {archive.last}"
        click.echo(f"{span}: {archive.payloads} payloads of {archive.file} are back.")
    if not done:
        click.echo("Nothing to restore: no such payload is archived.")

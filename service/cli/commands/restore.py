"""runfold restore."""

import asyncio
from pathlib import Path

import click

from service.cli.commands.database import attached
from service.cli.commands.options import archives_option, database_options
from service.maintenance.restore import restore_payloads


@click.command("restore", short_help="Bring archived payloads back.")
@click.argument("position", required=False, type=click.IntRange(min=1))
@archives_option
@database_options
def command(position: int | None, archives: Path | None, database_url: str, data_dir: Path) -> None:
    """Bring archived payloads back into the database: those of the archive that has POSITION, or all.

    The files stay where they are; delete them once nothing needs them any more.
    """
    with attached(database_url, data_dir) as dsn:
        done = asyncio.run(restore_payloads(dsn, position, archives))
    for one in done:
        click.echo(f"Positions {one.first} to {one.last}: {one.payloads} payloads of {one.file} are back.")
    if not done:
        click.echo("Nothing to restore: no such payload is archived.")

"""runfold rebuild."""

import asyncio
from pathlib import Path

import click

from service.cli.commands.database import attached
from service.cli.commands.options import archives_option, database_options
from service.cli.commands.progress import progress_bar
from service.maintenance.rebuild import rebuild_catalog


@click.command("rebuild", short_help="Fold the catalog anew from the ledger.")
@archives_option
@database_options
def command(database_url: str, data_dir: Path, archives: Path | None) -> None:
    """Throw the catalog away and fold it anew from the ledger; a running service goes on meanwhile.

    Archived payloads are read from their files.
    """
    with attached(database_url, data_dir) as dsn, progress_bar("Folding") as progress:
        position = asyncio.run(rebuild_catalog(dsn, progress, archives))
    click.echo(f"The catalog is folded anew, up to position {position}.")

"""runfold rebuild."""

import asyncio
from pathlib import Path

import click

from service.commands.database import attached
from service.commands.options import database_options
from service.commands.progress import progress_bar
from service.rebuild import rebuild


@click.command("rebuild", short_help="Fold the catalog anew from the ledger.")
@database_options
def command(database_url: str, data_dir: Path) -> None:
    """Throw the catalog away and fold it anew from the ledger; a running service goes on meanwhile."""
    with attached(database_url, data_dir) as dsn, progress_bar("Folding") as progress:
        position = asyncio.run(rebuild(dsn, progress))
    click.echo(f"The catalog is folded anew, up to position {position}.")

"""runfold rebuild."""

import asyncio
from pathlib import Path

import click

from service.cli.commands.database import attached
from service.cli.commands.options import archives_option, database_options, limit_facets
from service.cli.commands.progress import progress_bar
from service.cli.json_output import json_option, print_json
from service.maintenance.rebuild import rebuild_catalog


@click.command("rebuild", short_help="Rebuild the catalog from the ledger.")
@archives_option
@json_option("position")
@database_options
@limit_facets
def command(database_url: str, data_dir: Path, archives: Path | None, *, as_json: bool) -> None:
    """Discard the catalog and project it again from the ledger. A running service can continue meanwhile.

    Archived payloads are read from their files.
    """
    with attached(database_url, data_dir) as dsn, progress_bar("Projecting") as progress:
        position = asyncio.run(rebuild_catalog(dsn, progress, archives))
    if as_json:
        print_json({"position": position})
        return
    click.echo(f"The catalog is rebuilt, up to position {position}.")

"""runfold rebuild."""

import asyncio
import json
from pathlib import Path

import click

from service.cli.commands.database import attached
from service.cli.commands.options import archives_option, database_options, limit_facets
from service.cli.commands.progress import progress_bar
from service.maintenance.rebuild import rebuild_catalog


@click.command("rebuild", short_help="Rebuild the catalog from the ledger.")
@archives_option
@click.option("--json", "as_json", is_flag=True, help="Print {position} for a script.")
@database_options
@limit_facets
def command(database_url: str, data_dir: Path, archives: Path | None, *, as_json: bool) -> None:
    """Discard the catalog and project it again from the ledger. A running service can continue meanwhile.

    Archived payloads are read from their files.
    """
    with attached(database_url, data_dir) as dsn, progress_bar("Projecting") as progress:
        position = asyncio.run(rebuild_catalog(dsn, progress, archives))
    if as_json:
        click.echo(json.dumps({"position": position}))
        return
    click.echo(f"The catalog is rebuilt, up to position {position}.")

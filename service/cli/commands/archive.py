"""runfold archive."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import click

from service.cli.commands.database import attached
from service.cli.commands.options import database_options
from service.domain import timestamps
from service.ledger.archive_records import Archive
from service.maintenance.archive import archive_payloads


def _time(_context: click.Context, _parameter: click.Parameter, text: str) -> datetime:
    """Parse a date (midnight UTC) or a timestamp."""
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except ValueError:
        pass
    try:
        return timestamps.parse(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}, nor a date such as 2019-05-09.") from error


@click.command("archive", short_help="Move old payloads to Parquet files.")
@click.option(
    "--before",
    callback=_time,
    required=True,
    metavar="DATE",
    help="Archive payloads that were recorded before this date or time.",
)
@click.option(
    "--to",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Directory for the files; it is created if missing.",
)
@database_options
def command(before: datetime, directory: Path, database_url: str, data_dir: Path) -> None:
    """Move old payloads from the database to Parquet files, a million positions each.

    Only payloads are moved. Events stay in the ledger, and runs and jobs stay as they are. The ledger records the names
    and digests of the files: keep the files. `runfold restore` brings the payloads back.
    """
    with attached(database_url, data_dir) as dsn:
        done = asyncio.run(archive_payloads(dsn, before, directory, _report))
    if not done:
        click.echo("Nothing to archive: no partition of payloads is full and that old.")


def _report(step: str, archived: Archive | None) -> None:
    if step == "recorded" and archived is not None:
        span = f"Positions {archived.first} to {archived.last}"
        click.echo(f"{span}: {archived.payloads} payloads are in {archived.file}, SHA-256 {archived.sha256}.")

"""runfold archive."""

import asyncio
from datetime import datetime
from pathlib import Path

import click
import msgspec

from service.cli.commands.database import attached
from service.cli.commands.options import (
    FACET_OPTIONS,
    FACETS,
    actor_option,
    database_options,
    limit_facets,
    parse_time,
)
from service.cli.json_output import json_option, print_when_done
from service.cli.option_groups import GroupedCommand
from service.cli.parameter_types import FilePath
from service.ledger.archive_records import Archive
from service.maintenance.archive import archive_payloads

_GROUPS = {
    "Archive": ("before", "directory", "actor"),
    "Output": ("as_json",),
    "Database": ("database_url", "data_dir"),
    FACETS: FACET_OPTIONS,
}
"""The options, by what they are about."""


@click.command("archive", cls=GroupedCommand, groups=_GROUPS, short_help="Move old payloads to Parquet files.")
@click.option(
    "--before",
    callback=parse_time,
    required=True,
    metavar="TIME",
    help="Archive payloads that were recorded before this date (midnight UTC) or time.",
)
@click.option(
    "--to",
    "directory",
    type=FilePath(file_okay=False, path_type=Path, utf8=True),
    required=True,
    metavar="DIRECTORY",
    help="Directory for the files; it is created if missing.",
)
@actor_option
@json_option("complete", "archives")
@database_options
@limit_facets
def command(before: datetime, directory: Path, actor: str, *, as_json: bool, database_url: str, data_dir: Path) -> None:
    """Move old payloads from the database to Parquet files of at most a million positions each.

    Only payloads are moved. Events stay in the ledger, and runs and jobs stay as they are. The ledger records the names
    and digests of the files: keep the files. `runfold restore` brings the payloads back.

    Each run writes new files for what has become old since the last one: monthly runs make a file a month.
    """
    archives: list[dict[str, object]] = []

    def on_step(step: str, archived: Archive | None) -> None:
        if step == "recorded" and archived is not None:
            archives.append(msgspec.structs.asdict(archived))
            if not as_json:
                click.echo(_line(archived))

    with (
        attached(database_url, data_dir, exact=True) as dsn,
        print_when_done(lambda complete: {"complete": complete, "archives": archives}, as_json=as_json),
    ):
        asyncio.run(archive_payloads(dsn, before, directory, on_step, actor))
    if not archives and not as_json:
        click.echo("Nothing to archive: the database has no payload that old.")


def _line(archived: Archive) -> str:
    span = f"Positions {archived.first} to {archived.last}"
    return f"{span}: {archived.payloads} payloads are in {archived.file}, SHA-256 {archived.sha256}."

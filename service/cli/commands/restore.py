"""runfold restore."""

import asyncio
from pathlib import Path

import click
import msgspec

from service.cli.commands.database import attached
from service.cli.commands.options import actor_option, archives_option, database_options
from service.cli.json_output import json_option, print_when_done
from service.cli.parameter_types import Integer
from service.ledger.archive_records import Archive
from service.maintenance.restore import restore_payloads


@click.command("restore", short_help="Bring archived payloads back.")
@click.argument("position", required=False, type=Integer(min=1))
@archives_option
@actor_option
@json_option("complete", "archives")
@database_options
def command(
    position: int | None, archives: Path | None, actor: str, *, as_json: bool, database_url: str, data_dir: Path
) -> None:
    """Bring archived payloads back into the database: those of the archive that holds POSITION, or all.

    The files are not deleted.
    """
    restored: list[dict[str, object]] = []

    def on_step(step: str, archive: Archive) -> None:
        if step == "recorded":
            restored.append(msgspec.structs.asdict(archive))
            if not as_json:
                click.echo(_line(archive))

    with (
        attached(database_url, data_dir, exact=True) as dsn,
        print_when_done(lambda complete: {"complete": complete, "archives": restored}, as_json=as_json),
    ):
        asyncio.run(restore_payloads(dsn, position, archives, on_step, actor))
    if not restored and not as_json:
        click.echo("Nothing to restore: no such payload is archived.")


def _line(archive: Archive) -> str:
    return f"Positions {archive.first} to {archive.last}: {archive.payloads} payloads of {archive.file} are back."

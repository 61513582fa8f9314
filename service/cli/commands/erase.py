"""runfold erase."""

import asyncio
from pathlib import Path
from uuid import UUID

import click

from service.cli.commands.database import attached
from service.cli.commands.options import database_options, limit_facets
from service.maintenance.erase import ErasureResult, erase_payloads
from service.payloads.run_ids import parse_uuid

_DIGITS = 18
"""The number of decimal digits that always fit into a bigint."""


def _run_or_position(_context: click.Context, _parameter: click.Parameter, text: str) -> UUID | int:
    run = parse_uuid(text)
    if run is not None:
        return run
    if not text.isdecimal() or not text.isascii() or len(text) > _DIGITS or int(text) == 0:
        raise click.BadParameter("it must be the UUID of a run or the position of an event.")
    return int(text)


@click.command("erase", short_help="Erase payloads permanently.")
@click.argument("what", metavar="RUN|POSITION", callback=_run_or_position)
@click.option("--why", required=True, metavar="TEXT", help="Reason for the erasure; it is recorded in the ledger.")
@click.option("--actor", metavar="NAME", help="Who decided on the erasure; it is recorded in the ledger.")
@database_options
@limit_facets
def command(what: UUID | int, why: str, actor: str | None, database_url: str, data_dir: Path) -> None:
    """Erase permanently the payloads of all events of a run, or of one event, as a law may require.

    The events stay, with the digests of their payloads, and so do states and times. Facets, args, inputs and outputs
    that came from the payloads disappear from every view. The ledger records what was erased, and why.
    """
    if not why.strip():
        raise click.BadParameter("it must not be empty.", param_hint="'--why'")
    with attached(database_url, data_dir) as dsn:
        done = asyncio.run(erase_payloads(dsn, what, why, actor))
    click.echo(_summary(done))
    for copy in done.copies:
        click.echo(f"{copy.file} (SHA-256 {copy.sha256}) is an archive with a copy: delete every copy of that file.")


def _summary(done: ErasureResult) -> str:
    if not done.removed:
        return "Nothing to erase: it was erased before."
    if done.removed == 1:
        return "1 payload is erased. PostgreSQL overwrites it after the next VACUUM; backups keep it."
    return f"{done.removed} payloads are erased. PostgreSQL overwrites them after the next VACUUM; backups keep them."

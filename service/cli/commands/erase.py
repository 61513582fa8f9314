"""runfold erase."""

import asyncio
from pathlib import Path
from uuid import UUID

import click

from service.cli.commands.database import attached
from service.cli.commands.options import database_options
from service.maintenance.erase import ErasureResult, erase_payloads
from service.payloads.run_ids import parse_uuid

_DIGITS = 18
"""As many as certainly fit into a bigint."""


def _run_or_position(_context: click.Context, _parameter: click.Parameter, text: str) -> UUID | int:
    found = parse_uuid(text)
    if found is not None:
        return found
    if not text.isdecimal() or not text.isascii() or len(text) > _DIGITS or int(text) == 0:
        raise click.BadParameter("the UUID of a run, or the position of an event, please.")
    return int(text)


@click.command("erase", short_help="Remove payloads for good.")
@click.argument("what", metavar="RUN|POSITION", callback=_run_or_position)
@click.option("--why", required=True, metavar="TEXT", help="The reason; it is recorded, and stays.")
@click.option("--actor", metavar="NAME", help="Who decided; it is recorded, and stays.")
@database_options
def command(what: UUID | int, why: str, actor: str | None, database_url: str, data_dir: Path) -> None:
    """Remove what came with the events of a run, or with one event, for good: a law may ask for that.

    The events stay, with the digests of their payloads, and so do states and times; facets, args, inputs and outputs
    that came from the payloads are gone from every view. The ledger records what was erased, and why.
    """
    if not why.strip():
        raise click.BadParameter("it must not be empty.", param_hint="--why")
    with attached(database_url, data_dir) as dsn:
        done = asyncio.run(erase_payloads(dsn, what, why, actor))
    click.echo(_summary(done))
    for copy in done.copies:
        click.echo(f"{copy.file} (SHA-256 {copy.sha256}) was archived before and has a copy: delete it wherever it is.")


def _summary(done: ErasureResult) -> str:
    if not done.removed:
        return "That was erased before."
    if done.removed == 1:
        return "1 payload is erased. PostgreSQL overwrites it after the next VACUUM; backups keep it."
    return f"{done.removed} payloads are erased. PostgreSQL overwrites them after the next VACUUM; backups keep them."

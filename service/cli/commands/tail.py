"""runfold tail."""

import asyncio
import json
import sys
from pathlib import Path

import click

from service.audit.ledger_reader import LedgerReader, RecordedEvent
from service.cli.commands.database import attached
from service.cli.commands.options import database_options
from service.cli.json_output import json_option
from service.cli.parameter_types import Integer
from service.cli.text import printable
from service.database.connections import Connections

_POLL_S = 1.0
_AT_ONCE = 500
_INTERRUPTED = 130


@click.command("tail", short_help="Print the latest events of the ledger.")
@click.option(
    "-n",
    "--events",
    "count",
    type=Integer(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="Print the latest N events.",
)
@click.option("-f", "--follow", is_flag=True, help="Print further events as they are recorded, until Ctrl-C.")
@json_option(help_text="Print each event as a line of JSON, for scripts, as GET /events shows it, with its payload.")
@database_options
def command(count: int, *, follow: bool, as_json: bool, database_url: str, data_dir: Path) -> None:
    """Print the latest events of the ledger, oldest first: position, time, kind or state, source, job, and id."""
    try:
        with attached(database_url, data_dir) as dsn:
            asyncio.run(_print(dsn, count, follow=follow, as_json=as_json))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


async def _print(dsn: str, count: int, *, follow: bool, as_json: bool) -> None:
    async with Connections(dsn) as connections:
        reader = LedgerReader(connections)
        head = (await reader.head()).position
        position = max(0, head - count)
        while follow or position < head:
            limit = _AT_ONCE if follow else min(_AT_ONCE, head - position)
            events = await reader.recorded_after(position, limit)
            for event in events:
                click.echo(event.text if as_json else _line(event))
                position = event.position
            if not events:
                await asyncio.sleep(_POLL_S)


def _line(event: RecordedEvent) -> str:
    # The payload is the last field, and may be nested too deeply for a parser.
    row = json.loads(event.text.partition(b',"payload":')[0] + b"}")
    fields = event.fields
    what = f"{fields.state or fields.kind:<9}"
    name = printable(" ".join(filter(None, (fields.source, fields.actor, fields.namespace, fields.job))))
    return f"{event.position:>10}  {row['recordedAt']:<27}  {fields.subject} {fields.stream}  {what}  {name}"

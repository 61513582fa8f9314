"""runfold doctor."""

import asyncio
import sys
from pathlib import Path

import click

from service.catalog.queries import CatalogHealth, CatalogQueries, EventSetAside
from service.cli.commands.database import attached
from service.cli.commands.options import database_options
from service.cli.json_output import json_option, print_json
from service.database.connections import Connections

_MAX_LISTED = 1_000


@click.command("doctor", short_help="Show what is wrong with the catalog.")
@json_option("ledgerPosition", "catalogPosition", "readOnly", "setAside")
@database_options
def command(*, as_json: bool, database_url: str, data_dir: Path) -> None:
    """Show how far the catalog is behind the ledger, and the events that could not be projected.

    Such an event is in the ledger, whole; only lists and views lack it, or its payload. `runfold rebuild` tries each
    again. Exits with 1 if something is wrong: events were set aside, or the database is read-only.
    """
    with attached(database_url, data_dir) as dsn:
        (head, projected), health, events = asyncio.run(_examine(dsn))
    if as_json:
        print_json(_as_object(head, projected, health, events))
    else:
        click.echo(_as_text(head, projected, health, events))
    sys.exit(1 if events or health.read_only else 0)


async def _examine(dsn: str) -> tuple[tuple[int, int], CatalogHealth, list[EventSetAside]]:
    async with Connections(dsn) as connections:
        queries = CatalogQueries(connections)
        return await queries.positions(), await queries.health(), await queries.set_aside(_MAX_LISTED)


def _as_object(head: int, projected: int, health: CatalogHealth, events: list[EventSetAside]) -> dict[str, object]:
    return {
        "ledgerPosition": head,
        "catalogPosition": projected,
        "readOnly": health.read_only,
        "setAside": [
            {
                "position": event.position,
                "subject": event.subject,
                "id": str(event.stream),
                "leftOut": event.left_out,
                "reason": event.reason,
                "setAsideAt": event.set_aside_at,
            }
            for event in events
        ],
    }


def _as_text(head: int, projected: int, health: CatalogHealth, events: list[EventSetAside]) -> str:
    lines = [f"The ledger ends at position {head}; the catalog is projected up to {projected}."]
    if health.read_only:
        lines.append("The database is read-only.")
    lines.append("No event is set aside." if not events else "Set aside, because they could not be projected:")
    lines += [
        f"  position {event.position}, {event.subject} {event.stream}: {event.left_out} left out, {event.reason}"
        for event in events
    ]
    if len(events) == _MAX_LISTED:
        lines.append("  and perhaps more")
    if events:
        lines.append("Nothing of them is lost: the ledger has them. `runfold rebuild` tries each again.")
    return "\n".join(lines)

"""runfold doctor."""

import asyncio
import sys
from pathlib import Path
from typing import NamedTuple

import click

from service.catalog.queries import CatalogFormats, CatalogHealth, CatalogQueries, EventSetAside
from service.cli.commands.database import attached
from service.cli.commands.exit_statuses import ExitStatus, exit_statuses
from service.cli.commands.options import database_options
from service.cli.json_output import json_option, print_json
from service.database.connections import Connections
from service.database.statements import CATALOG, LINEAGE
from service.ledger.stored_lineage import LINEAGE_FORMAT
from service.ledger.stored_registers import FORMAT

_MAX_LISTED = 1_000
_FORMATS = {CATALOG: FORMAT, LINEAGE: LINEAGE_FORMAT}


@click.command("doctor", short_help="Show what is wrong with the catalog.")
@json_option("ledgerPosition", "catalogPosition", "lineagePosition", "format", "oldestFormat", "readOnly", "setAside")
@database_options
def command(*, as_json: bool, database_url: str, data_dir: Path) -> None:
    """Show how far the catalog and lineage are behind the ledger, and the events that could not be projected.

    Such an event is in the ledger, whole; only lists and views lack it, or its payload. `runfold rebuild` tries each
    again. Exits with 1 if something is wrong: events were set aside, or the database is read-only; with 3 if it could
    not look; with 130 if it was interrupted.
    """
    with exit_statuses():
        with attached(database_url, data_dir) as dsn:
            findings = asyncio.run(_examine(dsn))
        if as_json:
            print_json(_as_object(findings))
        else:
            click.echo(_as_text(findings))
        sys.exit(ExitStatus.BROKEN if findings.events or findings.health.read_only else ExitStatus.HOLDS)


class _Findings(NamedTuple):
    """The positions of the ledger's head, of the catalog, and of lineage; formats, health, and events set aside.

    `events`: each with the name of the projection that lacks it.
    """

    head: int
    projected: int
    lineage: int
    formats: dict[str, CatalogFormats]
    health: CatalogHealth
    events: list[tuple[str, EventSetAside]]


async def _examine(dsn: str) -> _Findings:
    async with Connections(dsn) as connections:
        queries = CatalogQueries(connections)
        return _Findings(
            *await queries.positions(),
            (await queries.positions(LINEAGE))[1],
            {name: await queries.formats(name) for name in _FORMATS},
            await queries.health(),
            [(name, event) for name in _FORMATS for event in await queries.set_aside(_MAX_LISTED, name)],
        )


def _as_object(findings: _Findings) -> dict[str, object]:
    return {
        "ledgerPosition": findings.head,
        "catalogPosition": findings.projected,
        "lineagePosition": findings.lineage,
        "format": findings.formats[CATALOG].latest,
        "oldestFormat": findings.formats[CATALOG].oldest,
        "readOnly": findings.health.read_only,
        "setAside": [
            {
                "projection": name,
                "position": event.position,
                "subject": event.subject,
                "id": str(event.stream),
                "leftOut": event.left_out,
                "reason": event.reason,
                "setAsideAt": event.set_aside_at,
            }
            for name, event in findings.events
        ],
    }


def _as_text(findings: _Findings) -> str:
    events = findings.events
    projected = f"the catalog is projected up to {findings.projected}, datasets and lineage up to {findings.lineage}"
    lines = [f"The ledger ends at position {findings.head}; {projected}."]
    if any(found.latest > _FORMATS[name] for name, found in findings.formats.items()):
        lines.append("A newer version of Runfold projects them.")
    if any(found.oldest < found.latest for found in findings.formats.values()):
        lines.append(
            "An earlier version projected a part, and what that did not keep is missing; `runfold rebuild` projects all"
            " anew, while lists are answered."
        )
    if findings.health.read_only:
        lines.append("The database is read-only.")
    lines.append("No event is set aside." if not events else "Set aside, because they could not be projected:")
    lines += [
        f"  position {event.position}, {event.subject} {event.stream}: {event.left_out} left out of {name},"
        f" {event.reason}"
        for name, event in events
    ]
    if len(events) >= _MAX_LISTED:
        lines.append("  and perhaps more")
    if events:
        lines.append("Nothing of them is lost: the ledger has them. `runfold rebuild` tries each again.")
    return "\n".join(lines)

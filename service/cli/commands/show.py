"""runfold show."""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import click

from service.audit.event_lines import PositionRange
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader
from service.cli.commands.database import attached
from service.cli.commands.options import RunId, database_options
from service.cli.json_output import json_option, print_json
from service.cli.parameter_types import Integer
from service.cli.run_views import read_run_views
from service.cli.text import printable, time_of
from service.database.connections import Connections
from service.domain.event import Event, Subject
from service.ledger.events import read_streams


class _Run(NamedTuple):
    """The view of a run, its latest events, and the number of all of them."""

    view: dict[str, Any]
    latest: list[Event]
    events: int


def _with_id(context: click.Context, parameter: click.Parameter, name: str) -> tuple[str, UUID]:
    """Return a run's id as it was given, and its UUID."""
    return name, RunId().convert(name, parameter, context)


@click.command("show", short_help="Show a run and its latest events.")
@click.argument("given", metavar="RUN", callback=_with_id)
@click.option(
    "--events",
    "limit",
    type=Integer(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="Show the latest N events.",
)
@json_option("run", "job", "events", "latest")
@database_options
def command(given: tuple[str, UUID], limit: int, *, as_json: bool, database_url: str, data_dir: Path) -> None:
    """Show a run as merged from its events, and the latest of them, read from the ledger.

    RUN is its UUID, or the runId that its OpenLineage events had. With --json, `run` is as the API shows it; what it
    read and wrote is left out (`datasetsOmitted`) while that is not projected.
    """
    name, run = given
    with attached(database_url, data_dir) as dsn:
        found = asyncio.run(_read(dsn, run, limit))
    if found is None:
        raise click.ClickException(f"There is no run {printable(name)} in the ledger.")
    view, job = found.view, found.view["job"]
    if as_json:
        latest = [_event_view(event) for event in found.latest]
        print_json({"run": view, "job": job, "events": found.events, "latest": latest})
        return
    click.echo(f"run        {run}")
    click.echo(f"job        {printable(' '.join(job.values()) if job else '')}")
    click.echo(f"state      {view['state']}")
    click.echo(f"started    {time_of(view['startedAt'])}")
    click.echo(f"ended      {time_of(view['endedAt'])}")
    for end in view.get("ends", ())[:-1]:
        click.echo(f"also ended {time_of(end['endedAt'])} {end['state']}")
    if "restartedAt" in view:
        click.echo(f"restarted  {time_of(view['restartedAt'])}")
    if "stateReason" in view:
        click.echo(f"inferred   from the silence of the run, at position {view['stateReason']['position']}")
    for other in view.get("jobs", ()):
        if other != job:
            click.echo(f"also job   {printable(' '.join(other.values()))}")
    click.echo(f"facets     {printable(', '.join(view['facets']))}")
    click.echo(f"events     {found.events}" + (f", the latest {len(found.latest)}:" if found.latest else ""))
    for event in found.latest:
        click.echo(_event_line(event))


async def _read(dsn: str, run: UUID, limit: int) -> _Run | None:
    async with Connections(dsn) as connections:
        (state,) = await read_streams(connections, Subject.RUN, [run], [None])
        if state.registers is None:
            return None
        reader = LedgerReader(connections)
        head = (await reader.head()).position
        latest = await reader.last_of_run(run, head, min(limit, head))
        count = await reader.count(EventFilters(run=run), PositionRange(0, head))
        (view,) = await read_run_views(connections, [(run, state.registers)])
        return _Run(view, latest[::-1], count)


def _event_view(event: Event) -> dict[str, object]:
    return {
        "position": event.position,
        "kind": event.kind,
        "state": event.state,
        "transitionedAt": event.transitioned_at,
        "recordedAt": event.recorded_at,
        "source": event.source,
        "actor": event.actor,
    }


def _event_line(event: Event) -> str:
    what = f"{event.state or event.kind:<9}  at {time_of(event.transitioned_at)}"
    who = printable(f"{event.source} {event.actor or ''}").rstrip()
    return f"{event.position:>10}  {what}  recorded {time_of(event.recorded_at)}  {who}"

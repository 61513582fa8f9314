"""runfold runs."""

import asyncio
from pathlib import Path
from typing import Any

import click

from service.catalog.queries import CatalogQueries
from service.catalog.run_search import RunFilters, RunSearch
from service.cli.commands.database import attached
from service.cli.commands.options import database_options
from service.cli.json_output import json_option, print_json
from service.cli.option_groups import GroupedCommand
from service.cli.parameter_types import Integer, Text
from service.cli.run_views import read_run_views
from service.cli.text import printable, time_of
from service.database.connections import Connections
from service.domain.event import RunState

_CONNECTIONS = 2


_GROUPS = {
    "Which runs": ("states", "namespace", "job", "contradicted", "restarted", "inferred", "limit"),
    "Output": ("as_json",),
    "Database": ("database_url", "data_dir"),
}
"""The options, by what they are about."""


@click.command("runs", cls=GroupedCommand, groups=_GROUPS, short_help="List the newest runs.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in RunState]),
    help="Only runs in this state. Repeatable.",
)
@click.option("--namespace", type=Text(), metavar="NAME", help="Only runs of this namespace.")
@click.option("--job", type=Text(), metavar="NAME", help="Only runs of jobs of this name.")
@click.option("--contradicted", is_flag=True, help="Only runs of which ends in several states were reported.")
@click.option("--restarted", is_flag=True, help="Only runs that were reported as started again after their end.")
@click.option("--inferred", is_flag=True, help="Only runs whose end was not reported, but inferred from their silence.")
@click.option("--limit", type=Integer(1, 1000), default=20, show_default=True, metavar="N", help="List N runs at most.")
@json_option(help_text="Print a JSON array, for scripts, of runs as the API shows them.")
@database_options
def command(
    states: tuple[str, ...],
    limit: int,
    *,
    as_json: bool,
    database_url: str,
    data_dir: Path,
    **filters: Any,  # noqa: ANN401  fields of RunFilters
) -> None:
    """List runs from the catalog, newest first: id, state, start, duration, and job.

    Behind them: other reported ends, the latest start where it lies after the end, and whether the end is inferred.

    A running service keeps the catalog up to date. Where it is behind the ledger, that is reported on standard error.
    """
    given = {name: value for name, value in filters.items() if value}
    with attached(database_url, data_dir) as dsn:
        runs, behind = asyncio.run(_read(dsn, RunFilters(states or None, **given), limit))
    if as_json:
        print_json(runs)
    else:
        for view in runs:
            click.echo(_line(view))
        if not runs:
            click.echo("No run matches." if given or states else "There are no runs yet.", err=True)
    if behind:
        click.echo(f"The catalog is {behind} events behind the ledger; a running service projects them.", err=True)


async def _read(dsn: str, filters: RunFilters, limit: int) -> tuple[list[dict[str, Any]], int]:
    """Return views of the runs, and the number of events that the catalog lacked when they were read."""
    async with Connections(dsn, _CONNECTIONS) as connections:
        head, projected = await CatalogQueries(connections).positions()
        found = (await RunSearch(connections).runs(filters, None, limit)).runs
        views = await read_run_views(connections, [(run.id, run.registers) for run in found])
        return views, max(0, head - projected)


def _line(view: dict[str, Any]) -> str:
    job = view["job"] or {"namespace": "", "name": ""}
    duration = "" if view["durationMs"] is None else f"{view['durationMs'] / 1000:.3f}s"
    name = printable(f"{job['namespace']} {job['name']}")
    line = f"{view['id']}  {view['state']:<9}  {time_of(view['startedAt']):<20}  {duration:>12}  {name}"
    notes = [f"also {end['state']} at {time_of(end['endedAt'])}" for end in view.get("ends", ())[:-1]]
    if "restartedAt" in view:
        notes.append(f"restarted at {time_of(view['restartedAt'])}")
    if "stateReason" in view:
        notes.append("inferred: no event for too long")
    return f"{line}  ({', '.join(notes)})" if notes else line

"""runfold silent."""

import asyncio
from datetime import datetime
from pathlib import Path

import click

from service.cli.commands.database import attached
from service.cli.commands.options import database_options, silent_after_setting
from service.cli.json_output import json_option, print_json
from service.cli.parameter_types import Integer
from service.cli.text import printable, time_of
from service.database.connections import Connections
from service.monitor.silent_runs import MAX_LEVELS, SilentRun, SilentRuns

_UNSET = (
    "Only runs whose job or namespace has a setting were looked at, because none was given for the others:"
    " use --silent-after."
)


@click.command("silent", short_help="List the runs that have been silent for too long.")
@click.option(
    "--limit", type=Integer(1, 10_000), default=100, show_default=True, metavar="N", help="List N runs at most."
)
@silent_after_setting
@json_option(help_text="Print a JSON array, for scripts, of runs: id, job, last event, allowance, and whose setting.")
@database_options
def command(*, limit: int, silent_after: int, as_json: bool, database_url: str, data_dir: Path) -> None:
    """List RUNNING runs without an event for longer than they may be: those whose ends `serve` would infer.

    Nothing is recorded. The setting of a run's job (`silentAfterSeconds`) applies, else that of its namespace, else
    --silent-after; try one here before the service gets it.
    """
    with attached(database_url, data_dir) as dsn:
        runs = asyncio.run(_find(dsn, silent_after, limit + 1))
    if as_json:
        print_json([_as_object(run) for run in runs[:limit]])
        return
    for run in runs[:limit]:
        click.echo(_line(run))
    shown = min(len(runs), limit)
    more = " There are more." if len(runs) > limit else ""
    unset = "" if silent_after else f" {_UNSET}"
    click.echo(f"{shown} silent run{'' if shown == 1 else 's'}.{more} Nothing was recorded.{unset}", err=True)


async def _find(dsn: str, silent_after: int, limit: int) -> list[SilentRun]:
    found: list[SilentRun] = []
    async with Connections(dsn) as connections:
        silent_runs = SilentRuns(connections, silent_after)
        now = await silent_runs.now()
        above = 0
        while len(found) < limit and (levels := (await silent_runs.levels(above)).seconds):
            thresholds = await silent_runs.thresholds(levels, now)
            for level in levels:
                found += await _find_at(silent_runs, level, thresholds[level], limit - len(found))
            above = levels[-1] if len(levels) == MAX_LEVELS else 2**31 - 1
    return found


async def _find_at(silent_runs: SilentRuns, level: int, upto: int, limit: int) -> list[SilentRun]:
    found: list[SilentRun] = []
    after: int | None = 0
    while after is not None and len(found) < limit:
        page = await silent_runs.find(level, after, upto)
        found += page.runs
        after = page.following
    return found[:limit]


def _as_object(run: SilentRun) -> dict[str, str | int | datetime | dict[str, str]]:
    silence = run.silence
    return {
        "id": str(run.id),
        "job": {"namespace": run.namespace, "name": run.job},
        "lastEventPosition": silence.last_position,
        "lastEventAt": silence.last_at,
        "silentAfterSeconds": silence.seconds,
        "setBy": run.set_by.value,
    }


def _line(run: SilentRun) -> str:
    name, silence = printable(f"{run.namespace} {run.job}"), run.silence
    return f"{run.id}  last event {time_of(silence.last_at)}, more than {silence.seconds} s ago ({run.set_by})  {name}"

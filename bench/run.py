"""The benchmark of the run API: `.venv/bin/python bench/run.py [--quick]`. bench/README.md explains the figures."""

from __future__ import annotations

import asyncio
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import cases, report, wrk
from bench.operations import Operations, WrongAnswersError
from bench.options import Options, read_options
from bench.programs import DidNotStartError
from bench.report import Goal
from bench.stage import Sample, Stage, conditions, open_stage
from bench.tasks import run_until_terminated

if TYPE_CHECKING:
    from collections.abc import Sequence

MIB = 1024 * 1024


async def benchmark(options: Options) -> None:
    """Measure, print the tables, and write the JSON file."""
    async with open_stage(options) as stage:
        figures: dict[str, Any] = {"conditions": await conditions(stage)}
        report.show(report.facts_table(figures["conditions"]))
        samples = await _operations(stage, figures)
        report.show(report.rates_table(report.rows_of(samples)))
        hot = await cases.hot_run(stage)
        figures["hot_run"] = asdict(hot) | {"get_ratio": hot.get_ratio, "start_ratio": hot.start_ratio}
        listing = await cases.list_under_load(stage)
        figures["list_under_load"] = asdict(listing)
        memory = await cases.memory(stage)
        figures["memory"] = asdict(memory)
    for name in ("disk", "acknowledged", "hot_run", "list_under_load", "memory"):
        report.show(f"\n{name.replace('_', ' ')}", report.facts_table(figures[name]))
    goals = _goals(report.rows_of(samples), hot, listing, memory)
    report.show("", report.goals_table(goals))
    if options.json:
        report.write_json(options.json, samples, figures | {"goals": [asdict(goal) for goal in goals]})


async def _operations(stage: Stage, figures: dict[str, Any]) -> list[Sample]:
    samples = []
    async with stage.transaction_app() as transaction:
        operations = Operations(stage, transaction)
        for connections in stage.options.connections:
            async for sample in operations.run(connections):
                samples.append(sample)
                _progress(sample)
        exact = await operations.exactly()
        starts, disk = operations.starts, operations.disk_ms
    figures["disk"] = {"fdatasync_ms_median": statistics.median(disk), "fdatasync_ms_highest": max(disk)}
    figures["acknowledged"] = {
        "starts_acknowledged_to_wrk": starts.acknowledged,
        "RUNNING_events_of_these_in_the_ledger": starts.recorded,
        "under_way_when_wrk_stopped_at_most": starts.under_way,
        "starts_acknowledged_to_a_client_that_waits": exact[0],
        "RUNNING_events_of_those_in_the_ledger": exact[1],
    }
    return samples


def _progress(sample: Sample) -> None:
    print(
        f"round {sample.round + 1}, {sample.connections} connections,"
        f" {sample.operation} by {sample.competitor}: {sample.result.rate:,.0f}/s",
        file=sys.stderr,
        flush=True,
    )


def _goals(
    rows: Sequence[report.Row], hot: cases.Hot, listing: cases.ListUnderLoad, memory: cases.Memory
) -> list[Goal]:
    start, get, alone = (report.find(rows, *key) for key in (("start", 64), ("get", 64), ("start", 1)))
    enough = memory.runs >= cases.MEMORY_RUNS
    return [
        Goal.at_least("start to bare, 64 connections", 0.45, report.figure(start, "to_bare")),
        Goal.at_least("get to bare, 64 connections", 0.6, report.figure(get, "to_bare")),
        Goal.at_least("start to transaction per request, 64 connections", 4, report.figure(start, "to_transaction")),
        Goal.at_most("one start alone, median", 3, report.figure(alone, "p50_ms"), " ms"),
        Goal.at_most("memory of the service at 100,000 runs", 150, memory.service / MIB if enough else None, " MiB"),
        Goal.at_least("get of a run with 10,000 events to one with 3", 0.5, hot.get_ratio),
        Goal.at_least("start of a run with 10,000 events to one with 3", 0.5, hot.start_ratio),
        Goal.at_most("list while 5,000 events/s come in, median", 20, listing.p50_ms, " ms"),
    ]


def main() -> None:
    """Parse the command line and measure; the exit status is 1 if an answer was wrong."""
    options = read_options(__doc__ or "")
    wrk.ensure_installed()
    try:
        asyncio.run(run_until_terminated(benchmark(options)))
    except (WrongAnswersError, DidNotStartError, wrk.WrkError) as error:
        raise SystemExit(f"bench: {error}") from error


if __name__ == "__main__":
    main()

"""The benchmark of ingestion: `.venv/bin/python bench/ingest.py [--quick]`. bench/README.md explains the figures."""

from __future__ import annotations

import asyncio
import secrets
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import batch, report, wrk
from bench.database import new_id
from bench.events import Template, templates
from bench.operations import WrongAnswersError, check
from bench.options import Options, read_options
from bench.programs import DidNotStartError
from bench.report import Goal
from bench.stage import Sample, Stage, conditions, open_stage, sample_of
from bench.tasks import run_until_terminated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.batch import Batch

CONNECTIONS = 64
RUNS = 20_000
QUICK_RUNS = 4_000
MIB = 1024 * 1024
BATCH_GOALS = {"300 B": 20_000, "5 KB": 5_000}


async def benchmark(options: Options) -> None:
    """Measure, print the tables, and write the JSON file."""
    samples: list[Sample] = []
    batches: dict[str, list[Batch]] = {}
    async with open_stage(options) as stage:
        figures: dict[str, Any] = {"conditions": await conditions(stage)}
        report.show(report.facts_table(figures["conditions"]))
        for template in templates():
            samples += await _singles(stage, template)
            batches[template.name] = await _batches(stage, template)
    figures["batches"] = {name: _median(found) for name, found in batches.items()}
    rows = report.rows_of(samples)
    report.show(report.rates_table(rows))
    for name, found in figures["batches"].items():
        report.show(f"\nbatch of {name} events", report.facts_table(found))
    goals = list(_goals(rows, figures["batches"]))
    report.show("", report.goals_table(goals))
    if options.json:
        report.write_json(options.json, samples, figures | {"goals": [asdict(goal) for goal in goals]})


async def _singles(stage: Stage, template: Template) -> list[Sample]:
    """Send one event per request: of many runs to bare and service, and small events of one run to the service."""
    turns = [(template, "bare"), (template, "service")]
    if template.name == "300 B":
        turns.append((template.heartbeat_of(new_id()), "service"))
    samples = []
    for number in range(-1, stage.options.rounds):
        for sent, competitor in turns[:: -1 if number % 2 else 1]:
            await stage.caught_up()
            sample = await _single(stage, sent, competitor, number)
            check(sample)
            samples += [sample] if number >= 0 else []
    return samples


async def _single(stage: Stage, template: Template, competitor: str, number: int) -> Sample:
    program = stage.service if competitor == "service" else stage.bare
    load = stage.load(CONNECTIONS, None if number >= 0 else 1)
    measuring = stage.wrk.events(program.port, load, template.parts, secrets.token_hex(4))
    measured = await stage.watch(program, measuring)
    return sample_of((number, f"event {template.name}", competitor, CONNECTIONS), measured)


async def _batches(stage: Stage, template: Template) -> list[Batch]:
    runs = QUICK_RUNS if stage.options.quick else RUNS
    return [await batch.measure(stage, template, runs) for _ in range(stage.options.rounds)]


def _median(batches: Sequence[Batch]) -> dict[str, float]:
    """Return the median of each figure; of memory growth, catching up and lists, the worst round."""
    figures = [
        asdict(each) | {"rate": each.rate, "to_copy": each.to_copy, "disk_ratio": each.disk_ratio} for each in batches
    ]
    worst = {"memory_growth", "caught_up_s", "slowest_list_s", "lists_refused"}
    return {
        name: (max if name in worst else statistics.median)(figure[name] for figure in figures) for name in figures[0]
    }


def _goals(rows: Sequence[report.Row], batches: dict[str, dict[str, float]]) -> Iterator[Goal]:
    small, hot = (report.find(rows, f"event {name}", CONNECTIONS) for name in ("300 B", "300 B, one run"))
    yield Goal.at_least("single small events to bare, 64 connections", 0.35, report.figure(small, "to_bare"))
    if small and hot:
        yield Goal.at_least("events of one run to events of many", 0.8, hot.rate / small.rate)
    for name, found in batches.items():
        yield Goal.at_least(f"batch of {name} events, events/s", BATCH_GOALS[name], found["rate"])
        yield Goal.at_least(f"batch of {name} events to raw COPY", 0.3, found["to_copy"])
        yield Goal.at_most(f"batch of {name} events, memory", 100, found["memory_growth"] / MIB, " MiB")
        yield Goal.at_most(f"batch of {name} events, payloads on disk to COPY", 1.3, found["disk_ratio"])
        yield Goal.at_most(f"batch of {name} events, catalog caught up", 2, found["caught_up_s"], " s")
        yield Goal.at_most(f"batch of {name} events, slowest list meanwhile", 2, found["slowest_list_s"], " s")
        yield Goal.at_most(f"batch of {name} events, lists refused meanwhile", 0, found["lists_refused"])


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

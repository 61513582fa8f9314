"""The benchmark of audit queries: `.venv/bin/python bench/audit.py [--quick]`. bench/README.md explains the figures."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import questions, report, whole
from bench.ledger_stage import LedgerStage, open_ledger
from bench.millions import EVENTS, ServedSinceError, load_into
from bench.operations import WrongAnswersError
from bench.programs import DidNotStartError
from bench.report import Answered, Goal
from bench.stage import machine_of
from bench.tasks import run_until_terminated
from service.embedded.files import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bench.questions import Question

QUICK_EVENTS = 200_000
MIB = 1024 * 1024
SHORT_RUNS = 20

SIZES = """
select (select count(*) from runfold.runs) as runs,
       pg_total_relation_size('runfold.events') / h.position as events_bytes_an_event,
       (select sum(pg_total_relation_size(relid))
          from pg_partition_tree('runfold.payloads'))::bigint / h.position as payloads_bytes_an_event,
       pg_total_relation_size('runfold.event_postings')::float / h.position as postings_bytes_an_event
  from runfold.ledger_head h
 where h.log = 0
"""


@dataclass(frozen=True)
class Options:
    """How much to measure, the data directory (None: a temporary one), and the file for the figures."""

    events: int
    times: int
    data_dir: Path | None
    json: Path | None


async def benchmark(options: Options, directory: Path, data_dir: Path, loaded_s: float) -> None:
    """Measure, print the tables, and write the JSON file."""
    async with open_ledger(directory, data_dir) as stage:
        figures: dict[str, Any] = {
            "conditions": await machine_of(stage.database, directory) | {"times": options.times},
            "ledger": {"events": stage.head, "loaded_in_s": loaded_s, "projected_and_posted_in_s": stage.derived_s}
            | dict(await stage.database.connection.fetchrow(SIZES)),
        }
        for name in ("conditions", "ledger"):
            report.show(f"\n{name}", report.facts_table(figures[name]))
        answered = [each async for each in _measure_all(stage, options.times)]
        for group in dict.fromkeys(each.group for each in answered):
            report.show(f"\n{group}", report.answers_table(each for each in answered if each.group == group))
        export = await whole.export(stage, "application/x-ndjson")
        verified = await whole.verification(stage)
    figures["export"] = asdict(export) | {"events_a_second": export.rate}
    figures["verify"] = asdict(verified) | {"events_a_second": verified.rate}
    for name in ("export", "verify"):
        report.show(f"\n{name}", report.facts_table(figures[name]))
    goals = _goals(answered, export, verified)
    report.show("", report.goals_table(goals))
    if options.json:
        figures |= {"answers": [asdict(each) for each in answered], "goals": [asdict(goal) for goal in goals]}
        await asyncio.to_thread(options.json.write_text, json.dumps(figures, indent=1) + "\n")


async def _measure_all(stage: LedgerStage, times: int) -> AsyncIterator[Answered]:
    async for question in questions.pages(stage):
        yield await _measure("pages of 100 events", stage, [question], times)
    async for question in questions.counts(stage):
        yield await _measure("counts", stage, [question], times)
    short: list[Question] = []
    async for question in questions.known_at(stage, SHORT_RUNS):
        if question.place:
            yield await _measure("knownAt", stage, [question], times)
        else:
            short.append(question)
    yield await _measure("knownAt", stage, short, max(times, len(short)))
    for question in questions.searches(stage):
        yield await _measure("pages of 100 runs", stage, [question], times)


async def _measure(group: str, stage: LedgerStage, similar: Sequence[Question], times: int) -> Answered:
    """Send `times` requests, alternating between similar questions, after one that is not measured."""
    count, taken = 0, []
    for number in range(times + 1):
        question = similar[number % len(similar)]
        milliseconds, answer = await stage.get(question.path, question.params)
        count = question.check(answer)
        taken.append(milliseconds)
    first = similar[0]
    print(f"{group}: {first.name} {first.place} {statistics.median(taken[1:]):.1f} ms", file=sys.stderr, flush=True)
    return Answered(group, first.name, first.place, count, tuple(taken[1:]))


def _goals(answered: Sequence[Answered], export: whole.Export, verified: whole.Verification) -> list[Goal]:
    def slowest(group: str, question: str = "") -> float | None:
        found = [each.median_ms for each in answered if each.group == group and question in each.question]
        return max(found, default=None)

    return [
        Goal.at_most("page of 100 events, any filter, anywhere, median", 20, slowest("pages of 100 events"), " ms"),
        Goal.at_most("knownAt of a run of 3 events, median", 5, slowest("knownAt", "run of 3 events"), " ms"),
        Goal.at_most("knownAt of any run, median", 5, slowest("knownAt"), " ms"),
        Goal.at_most("GET /runs?state=RUNNING, median", 20, slowest("pages of 100 runs", "state=RUNNING"), " ms"),
        Goal.at_most("page of 100 runs, any filter, median", 20, slowest("pages of 100 runs"), " ms"),
        Goal.at_least("export as NDJSON", 50_000, export.rate, " events/s"),
        Goal.at_most("memory growth while exporting", 64, (export.rss_peak - export.rss_before) / MIB, " MiB"),
        Goal.at_least("verify", 100_000, verified.rate, " events/s"),
    ]


def read_options(arguments: list[str] | None = None) -> Options:
    """Parse the command line; --quick is a small ledger and few answers, for a first impression."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, help=f"events in the ledger (default {EVENTS})")
    parser.add_argument("--times", type=int, help="answers per question, of which the median is taken (default 15)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_EVENTS} events, 5 answers")
    parser.add_argument(
        "--data-dir", type=Path, help="use the ledger in this directory, or load one there, and keep it"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the time of every answer and every figure to FILE"
    )
    given = parser.parse_args(arguments)
    quick: bool = given.quick
    return Options(
        events=given.events or (QUICK_EVENTS if quick else EVENTS),
        times=given.times or (5 if quick else 15),
        data_dir=given.data_dir,
        json=given.json,
    )


def main() -> None:
    """Parse the command line, load, measure; the exit status is 1 if an answer was wrong."""
    options = read_options()
    # A short prefix: the path of a Unix socket is limited to about 100 characters.
    with tempfile.TemporaryDirectory(prefix="rfa-", ignore_cleanup_errors=True) as temporary:
        directory = Path(temporary)
        data_dir = options.data_dir or directory / "data"
        try:
            began = time.monotonic()
            load_into(data_dir, options.events)
            loaded_s = time.monotonic() - began
            asyncio.run(run_until_terminated(benchmark(options, directory, data_dir, loaded_s)))
        except (WrongAnswersError, DidNotStartError, EmbeddedError, ServedSinceError) as error:
            raise SystemExit(f"bench: {error}") from error
        except asyncio.CancelledError:
            raise SystemExit("bench: interrupted") from None


if __name__ == "__main__":
    main()

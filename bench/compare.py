"""Compares this checkout with another: `bench/compare.py OTHER [--rounds N] [--seconds N] [--only NAMES]`.

OTHER is a checkout whose `.venv` is installed (`make .venv/.run-stamp` there). Each checkout serves with a database of
its own. In every round each operation is measured on both, one after the other, in the opposite order every second
round, and only when both are at rest: their catalogs are up to date, what they changed is on the disk, and no vacuum
runs. The table shows the medians over the rounds, and the ratio of this checkout to the other: of requests (events for
NDJSON) a second, and of CPU time a request, which depends less on what else the machine does.

What is measured second may still pay for the first: its ratio is taken for each of the two orders, over the same number
of rounds, and the table shows the geometric mean of these medians, in which that cancels out.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import secrets
import statistics
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import batch, report, wrk
from bench.events import templates
from bench.operations import WrongAnswersError
from bench.options import Options
from bench.programs import DidNotStartError
from bench.stage import RUN, RUN_BODY, RUNS, Stage, open_stage
from bench.tasks import run_until_terminated
from bench.wrk import Load

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from bench.wrk import Result

CONNECTIONS = 64
CREATE_LONGER = 4
"""How many times longer creates are measured than starts, which take the runs that they made."""

BATCH_RUNS = 10_000
OPERATIONS = ("create", "start", "get", "lineage event", "NDJSON")


@dataclass(frozen=True)
class Figures:
    """What one operation came to: requests or events a second, CPU microseconds of the service for each of them."""

    rate: float
    cpu_us: float


async def compare(other: Path, rounds: int, seconds: int, operations: Sequence[str]) -> None:
    """Measure each operation on both checkouts, round by round, and print the table."""
    options = Options(rounds=rounds, seconds=seconds, connections=(CONNECTIONS,), quick=False, json=None)
    measured: dict[str, dict[str, list[Figures]]] = {name: {"other": [], "this": []} for name in operations}
    async with AsyncExitStack() as held:
        stages = {
            "other": await held.enter_async_context(open_stage(options, [other / ".venv" / "bin" / "runfold"])),
            "this": await held.enter_async_context(open_stage(options)),
        }
        for number in range(-1, rounds):  # the first round warms up
            order = list(stages.items())[:: -1 if number % 2 else 1]
            heads = {name: await stage.database.head() for name, stage in order}
            for operation in operations:
                for name, stage in order:
                    # Also the other one: what it does after its own turn would take this one's time.
                    await asyncio.gather(*(either.settle() for either in stages.values()))
                    figures = await _measure(stage, operation, seconds, heads[name])
                    if number >= 0:
                        measured[operation][name].append(figures)
                        _progress(number, operation, name, figures)
    report.show(_table(measured))


async def _measure(stage: Stage, operation: str, seconds: int, head: int) -> Figures:
    """Measure an operation; starts and gets take the runs created after a position, the newest first."""
    runs = (await stage.database.created(head))[::-1] if operation in {"start", "get"} else []
    load, port = Load(CONNECTIONS, seconds), stage.service.port
    if operation == "NDJSON":
        before = stage.service.usage().cpu_s
        found = await batch.send(stage, templates()[0], BATCH_RUNS)
        return Figures(found.rate, (stage.service.usage().cpu_s - before) / found.events * 1e6)
    measuring: Awaitable[Result] = {
        "start": lambda: stage.wrk.by_id(port, load, "POST", f"{RUN}/start", runs),
        "get": lambda: stage.wrk.by_id(port, load, "GET", RUN, runs),
        "create": lambda: stage.wrk.constant(port, Load(CONNECTIONS, CREATE_LONGER * seconds), "POST", RUNS, RUN_BODY),
        "lineage event": lambda: stage.wrk.events(port, load, templates()[0].parts, secrets.token_hex(4)),
    }[operation]()
    result, before_, after = await stage.watch(stage.service, measuring)
    if not result.clean:
        raise WrongAnswersError(f"{operation}: {result}")
    return Figures(result.rate, (after.cpu_s - before_.cpu_s) / max(result.requests, 1) * 1e6)


def _progress(number: int, operation: str, name: str, figures: Figures) -> None:
    print(
        f"round {number + 1}, {operation}, {name}: {figures.rate:,.0f}/s, {figures.cpu_us:.1f} µs",
        file=sys.stderr,
        flush=True,
    )


def _table(measured: dict[str, dict[str, list[Figures]]]) -> str:
    lines = [f"{'':14} {'other':>9} {'this':>9} {'ratio':>6}   {'other µs':>9} {'this µs':>9} {'ratio':>6}"]
    for operation, by_checkout in measured.items():
        other, this = by_checkout["other"], by_checkout["this"]
        rates = [statistics.median(one.rate for one in figures) for figures in (other, this)]
        times = [statistics.median(one.cpu_us for one in figures) for figures in (other, this)]
        rate_ratio = _ratio([b.rate / a.rate for a, b in zip(other, this, strict=True)])
        time_ratio = _ratio([b.cpu_us / a.cpu_us for a, b in zip(other, this, strict=True)])
        lines.append(
            f"{operation:14} {rates[0]:9,.0f} {rates[1]:9,.0f} {rate_ratio:6.3f}"
            f"   {times[0]:9.1f} {times[1]:9.1f} {time_ratio:6.3f}"
        )
    return "\n".join(lines)


def _ratio(ratios: Sequence[float]) -> float:
    """Return the ratio without what depends on the order, which is another one in every second round."""
    return math.sqrt(statistics.median(ratios[::2]) * statistics.median(ratios[1::2]))


def _rounds(text: str) -> int:
    """Read a number of rounds, of which both orders have the same number."""
    rounds = int(text)
    if rounds < 2 or rounds % 2:
        raise argparse.ArgumentTypeError(f"{text} is not an even number of rounds")
    return rounds


def _operations(text: str) -> tuple[str, ...]:
    """Read names separated by commas. Starts and gets need the runs that creates make."""
    names = text.split(",")
    if not set(names) <= set(OPERATIONS):
        raise argparse.ArgumentTypeError(f"{text!r} is not made of: {', '.join(OPERATIONS)}")
    needs_runs = {"start", "get"} & set(names)
    return tuple(name for name in OPERATIONS if name in names or (name == "create" and needs_runs))


def main() -> None:
    """Read the command line, measure, print; exit status 1 when an answer was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("--rounds", type=_rounds, default=8, help="an even number: half of them in either order")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", type=_operations, default=OPERATIONS, help=f"some of: {', '.join(OPERATIONS)}")
    given = parser.parse_args()
    wrk.ensure_installed()
    try:
        asyncio.run(run_until_terminated(compare(given.other.resolve(), given.rounds, given.seconds, given.only)))
    except (WrongAnswersError, DidNotStartError, wrk.WrkError) as error:
        raise SystemExit(f"bench: {error}") from error


if __name__ == "__main__":
    main()

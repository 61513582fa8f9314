"""Puts a steady load on a real service, and checks that it neither grows nor falls behind and that all invariants hold.

`make soak`, or `.venv/bin/python -m chaos.soak --seconds 3600 --workers 2`. The exit status is 1 if an
invariant does not hold; it is printed with the seed. docs/testing.md lists the checks.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chaos import processes
from chaos.examiner import CHECKED, Examiner
from chaos.journal import Journal
from chaos.load import Load
from chaos.options import directory, parser, print_progress, report
from chaos.overload import LONG, Overloaded, OverloadTimes, overload
from chaos.sampling import EVERY_S, Growth, Sample, check_growth, growth, sampling
from chaos.world import Ground, World, world

_PAUSE_S = 0.2
_CHECK_S = 60.0
_ALIVE = 5
"""Requests that must be answered within ten sampling intervals, so that a standstill is noticed."""


@dataclass
class Soaked:
    """The result of a soak test."""

    samples: list[Sample] = field(default_factory=list)
    grown: list[Growth] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    transitions: int = 0
    payloads: int = 0
    positions: int = 0
    verified: str = ""
    overloaded: Overloaded | None = None


async def soak(
    ground: Ground,
    seconds: float,
    clients: int,
    progress: Callable[[str], None],
    overload_times: OverloadTimes = LONG,
    *,
    alone: bool = False,
) -> Soaked:
    """Run the load for `seconds`, checking everything once a minute, then an overload.

    Raises Violation for what does not hold.
    """
    journal, soaked = Journal(), Soaked()
    load = Load(journal, clients=clients, pause=_PAUSE_S, seed=ground.seed)
    async with world(ground, load) as there:
        examiner = Examiner(there, journal)
        try:
            await load.caller(there.client, there.random).define()
            await _run_load(there, load, examiner, (seconds, soaked, progress))
            if alone:
                processes.set_apart(there.service.pid)
            soaked.overloaded = await overload(there, overload_times)
            soaked.verified = await there.verify()
            await there.service.stop()
        finally:
            await examiner.close()
    soaked.counts, soaked.positions = dict(load.tally.counts), examiner.ledger.position
    soaked.transitions, soaked.payloads = journal.acknowledged
    return soaked


async def _run_load(
    there: World, load: Load, examiner: Examiner, plan: tuple[float, Soaked, Callable[[str], None]]
) -> None:
    seconds, soaked, progress = plan
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        async with load.running(), sampling(there, soaked.samples):
            pause = time.monotonic() + min(left, _CHECK_S)
            while time.monotonic() < pause:
                await load.answered(_ALIVE, seconds=10 * EVERY_S)
        await examiner.caught_up()
        await examiner.examine()
        progress(f"{examiner.ledger.position} events verified; {soaked.samples[-1]}")
    await examiner.examine(last=True)
    soaked.grown = growth(soaked.samples)
    check_growth(soaked.grown)


async def _run(given: argparse.Namespace, base: Path) -> None:
    ground = Ground(base, f"{given.seed}/soak", given.workers, embedded=True)
    soaked = await soak(ground, given.seconds, given.clients, print_progress, alone=given.alone)
    for what, count in sorted(soaked.counts.items()):
        print(f"{count:10,} {what}")
    print(f"{soaked.transitions:10,} commands acknowledged")
    print(f"{soaked.payloads:10,} bodies (creations, events) acknowledged")
    print(f"{soaked.positions:10,} events in the ledger")
    print(f"{max(each.lag for each in soaked.samples):10,} events not projected yet, at most")
    assert soaked.overloaded is not None  # noqa: S101  it is the last part
    for line in (*map(str, soaked.grown), *soaked.overloaded.lines(), soaked.verified):
        print(line)
    print(f"\nOnce a minute for {given.seconds} s (seed {given.seed}), the catalog caught up and all of this held:")
    for line in CHECKED:
        print(f"  - {line}")


def main() -> int:
    """Read the command line and run; return the exit status."""
    reader = parser("Put a steady load on the service and check that it neither grows nor falls behind.", 600)
    reader.add_argument(
        "--workers", type=int, choices=range(1, 9), default=1, help="worker processes of the service (default 1)"
    )
    reader.add_argument(
        "--alone",
        action="store_true",
        help="during the overload, leave a processor to the service alone, and the others to the projector, PostgreSQL"
        " and the program that sends; with one worker",
    )
    given = reader.parse_args()
    if given.alone and given.workers > 1:
        reader.error("--alone needs one worker")
    with directory(given.keep) as base:
        return report(given.seed, _run(given, base))


if __name__ == "__main__":
    sys.exit(main())

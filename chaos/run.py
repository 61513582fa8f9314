"""Strikes faults at a real service under load, and checks after each that nothing acknowledged was lost.

`make chaos`, or `.venv/bin/python -m chaos.run --seconds 60 --seed 1f2e3d4c`. The exit status is 1 if an
invariant does not hold; it is printed with the seed. docs/testing.md lists the faults and the checks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from chaos.disk import can_mount
from chaos.examiner import CHECKED
from chaos.faults import FAULTS
from chaos.options import directory, parser, print_progress, report
from chaos.rounds import Force, Outcome, chaos
from chaos.world import KINDS, Ground

_WORLDS = {
    "embedded": "one process with an embedded PostgreSQL",
    "workers": "two workers with an embedded PostgreSQL",
    "beside": "two workers beside a PostgreSQL server, behind a proxy",
}


def ground(kind: str, base: Path, seed: str) -> Ground:
    """Return the parameters of a world of one kind."""
    place = base / kind
    place.mkdir(exist_ok=True)
    return Ground(place, f"{seed}/{kind}", 1 if kind == "embedded" else 2, kind != "beside")


async def _run(given: argparse.Namespace, base: Path) -> None:
    kinds = [given.world] if given.world else list(KINDS)
    force = Force(given.seconds / len(kinds), given.clients, only=tuple(given.only.split(",")) if given.only else ())
    outcomes = []
    if "beside" in kinds and not can_mount():
        print_progress("a full disk is left out: mounting a file system needs root")
    for kind in kinds:
        print_progress(f"{_WORLDS[kind]}:")
        outcome = await chaos(ground(kind, base, given.seed), force, lambda line: print_progress(f"  {line}"))
        outcomes.append(outcome)
        _show(_WORLDS[kind], outcome)
    _conclude(given.seed, outcomes)


def _show(title: str, outcome: Outcome) -> None:
    faults: dict[str, list[float]] = {}
    for name, seconds in outcome.struck:
        faults.setdefault(name, []).append(seconds)
    print(f"\n{title}")
    for name, times in sorted(faults.items()):
        print(f"  {len(times):4} x {name}; answering again within {max(times):.1f} s")
    for what, count in _figures(outcome):
        print(f"  {count:8,} {what}")
    print(f"  {outcome.verified}", flush=True)


def _figures(outcome: Outcome) -> Iterator[tuple[str, int]]:
    yield from sorted(outcome.counts.items())
    yield "commands acknowledged", outcome.transitions
    yield "bodies (creations, events) acknowledged", outcome.payloads
    yield "events in the ledger", outcome.positions
    yield "runs in the ledger", outcome.runs
    yield "times that streams of events were resumed", outcome.resumed
    yield "events that listeners received", outcome.heard
    yield "questions about the past", outcome.questions
    yield "lines of level ERROR in the service's log", outcome.errors


def _conclude(seed: str, outcomes: list[Outcome]) -> None:
    print(f"\nAfter each of {sum(len(outcome.struck) for outcome in outcomes)} faults (seed {seed}), all of this held:")
    for line in CHECKED:
        print(f"  - {line}")


def main() -> int:
    """Read the command line and run; return the exit status."""
    reader = parser("Strike faults at the service under load and check that nothing acknowledged is lost.", 180)
    reader.add_argument("--world", choices=KINDS, help="one world only (default: each for a third of the time)")
    reader.add_argument("--only", metavar="FAULT,…", help=f"these faults only: {', '.join(FAULTS)}")
    given = reader.parse_args()
    if given.only and not set(given.only.split(",")) <= set(FAULTS):
        reader.error(f"--only takes {', '.join(FAULTS)}, separated by commas")
    with directory(given.keep) as base:
        return report(given.seed, _run(given, base))


if __name__ == "__main__":
    sys.exit(main())

"""Offers a service several times what it can record, and checks that it goes on to answer.

`chaos/flood.py` sends the events, as a process of its own. docs/testing.md lists the checks.
"""

from __future__ import annotations

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from typing import NamedTuple

import aiohttp
import msgspec

from chaos.flood import CREATED, FIRST_S, LAST_S, SOON_S, UNAVAILABLE, Flooded, Part, Plan, Times
from chaos.sampling import MIB, Sample, sampling
from chaos.service import ROOT, environment
from chaos.waiting import Violation
from chaos.world import READER, WRITERS, World

TIMES = 5.0

MEMORY_MIB = 96
"""How much more memory the service may take at the end of the overload than before it.

A thousand connections, the queue, a projector at work, and the cache of 65,536 runs (ledger/run_cache.py), which such a
load fills for the first time.
"""

_REFUSALS = re.compile(r"^runfold_overload_refusals_total (\S+)$", re.MULTILINE)
_NONE = Times()


class OverloadTimes(NamedTuple):
    """The seconds of an overload, and those after it from which on every request must be recorded again."""

    overload_s: float
    recovered_s: float


LONG = OverloadTimes(20.0, 1.0)
SHORT = OverloadTimes(3.0, 3.0)
"""For a machine that runs other tests meanwhile."""


@dataclass
class Overloaded:
    """What came of an overload: the answers, the service's memory in MiB before it and at most, events recorded."""

    flooded: Flooded
    memory_before: float
    memory_most: float
    recorded: int

    def lines(self) -> list[str]:
        """Return the figures, for people."""
        capacity, overload, afterwards = self.flooded.at_capacity, self.flooded.overload, self.flooded.afterwards
        normal, taken, refused = answers(capacity, CREATED), answers(overload, CREATED), answers(overload, UNAVAILABLE)
        unsent = f"; {overload.unsent:,} of them not, as no connection was free" if overload.unsent else ""
        first = overload.first.get(CREATED, _NONE), overload.first.get(UNAVAILABLE, _NONE)
        return [
            f"64 clients that wait for answers: {_shown(capacity, normal)}",
            f"offered then: {overload.due:,.0f} events/s, sent {overload.late_ms:.1f} ms late (p99){unsent}",
            f"recorded: {_shown(overload, taken)}",
            f"refused: {_shown(overload, refused)}, {refused.soon:.1%} in {SOON_S * 1e3:.0f} ms",
            f"in the first second: recorded {_times(first[0])}; refused {_times(first[1])}",
            f"the program that sends: {overload.cores:.2f} cores, read answers {overload.unread_ms:.1f} ms late (p99)",
            f"the service: had no processor for {overload.waited:.1%} of the time; at capacity, {capacity.waited:.1%}",
            f"memory: {self.memory_before:.0f} MiB before, {self.memory_most:.0f} MiB at most",
            f"then: last refusal after {afterwards.taken_s:.2f} s, last slow answer after {afterwards.settled_s:.2f} s",
        ]


def _shown(part: Part, times: Times) -> str:
    """Return the figures of a part; those of the first second of an overload are not among them."""
    seconds = part.seconds - (FIRST_S if part.first else 0)
    return f"{times.count / seconds:,.0f} events/s, {_times(times)}"


def _times(times: Times) -> str:
    return f"p50 {times.p50_ms:.1f} ms, p90 {times.p90_ms:.1f} ms, p99 {times.p99_ms:.1f} ms"


def answers(part: Part, status: int) -> Times:
    """Return the answers of a status."""
    return part.answers.get(status, _NONE)


async def overload(there: World, times: OverloadTimes) -> Overloaded:
    """Offer five times what 64 clients get recorded, for some seconds. Raises Violation for what does not hold."""
    seconds, recovered_s = times
    plan = Plan(
        port=there.service.port,
        secret=there.secrets[WRITERS[0]],
        processes=there.service.workers(),
        at_capacity_s=seconds / 2,
        rest_s=seconds / 4,
        overload_s=seconds,
        afterwards_s=recovered_s + 1,
        times=TIMES,
    )
    samples: list[Sample] = []
    head, refused = await there.database.head(), await _refusals(there)
    async with sampling(there, samples):
        flooded = await _flood(plan)
    outcome = Overloaded(
        flooded,
        samples[0].memory / MIB,
        max(each.memory for each in samples) / MIB,
        await there.database.head() - head,
    )
    _check(outcome, await _refusals(there) - refused, recovered_s)
    return outcome


async def _flood(plan: Plan) -> Flooded:
    """Run the program that sends, in a session of its own.

    Linux divides a processor among sessions first (autogroups), then among their processes. In one session with the
    service, the program would take the service's part, which clients on other machines do not.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chaos.flood"),
        cwd=ROOT,
        env=environment(),
        stdin=PIPE,
        stdout=PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_flood_limit(plan)):
            output, _ = await process.communicate(msgspec.json.encode(plan))
    except TimeoutError:
        raise Violation("chaos.flood does not end") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise Violation(f"chaos.flood ended with status {process.returncode}")
    return msgspec.json.decode(output, type=Flooded)


def _flood_limit(plan: Plan) -> float:
    """Return the seconds that a flood may take: its parts, the last answers of each, and its start."""
    return 2 * plan.at_capacity_s + plan.rest_s + plan.overload_s + plan.afterwards_s + 6 * LAST_S


async def _refusals(there: World) -> float:
    """Return how many requests the service has refused. It must answer, whatever else it does."""
    headers = {"Authorization": f"Bearer {there.secrets[READER]}"}
    async with aiohttp.ClientSession() as session, session.get(f"{there.service.url}/metrics", headers=headers) as got:
        found = _REFUSALS.search(await got.text())
    if found is None:
        raise Violation("/metrics does not show how many requests were refused")
    return float(found[1])


def _check(outcome: Overloaded, refused: float, recovered_s: float) -> None:
    """Check all that does not depend on the speed of the machine, and that the service recovers."""
    parts = outcome.flooded.at_capacity, outcome.flooded.overload, outcome.flooded.afterwards
    totals = outcome.flooded.totals
    if not totals.keys() <= {CREATED, UNAVAILABLE}:
        raise Violation(f"an overloaded service answered {totals}")
    if any(part.broken or part.wrong for part in parts):
        raise Violation("an overloaded service broke connections, or answered 503 without Retry-After")
    overloaded = outcome.flooded.overload
    if not answers(overloaded, CREATED).count or not answers(overloaded, UNAVAILABLE).count:
        raise Violation(f"offered {TIMES} times what it can take, it answered only {sorted(overloaded.answers)}")
    if totals[CREATED] != outcome.recorded or totals[UNAVAILABLE] != refused:
        raise Violation(
            f"the answers were {totals}; {outcome.recorded} were recorded, {refused:.0f} counted as refused"
        )
    if outcome.flooded.afterwards.taken_s > recovered_s:
        raise Violation(f"requests were refused for {outcome.flooded.afterwards.taken_s:.2f} s after the overload")
    if outcome.memory_most > outcome.memory_before + MEMORY_MIB:
        raise Violation(f"the overload took memory: {outcome.memory_before:.0f}, then {outcome.memory_most:.0f} MiB")

"""One fault after the other in one world, each under load, and a look at everything after each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from chaos.examiner import Examiner
from chaos.faults import Fault, faults_for
from chaos.journal import Journal
from chaos.load import Load
from chaos.waiting import Violation
from chaos.world import Ground, World, world

_BACK_S = 60.0


@dataclass(frozen=True)
class Force:
    """How hard it is to be."""

    seconds: float
    clients: int = 24
    pause: float = 0.05
    """Seconds that a client rests at most between two runs."""
    before: int = 150
    """Requests that are answered before a fault, and after the service is back."""
    longest: float = 12.0
    """Seconds that a pause takes at most; a statement of the service's times out after 10."""
    only: tuple[str, ...] = ()
    """Faults by the names of their functions, each once in a turn; none: all."""
    turns: int = 1000
    """How often each may strike."""


@dataclass
class Outcome:
    """What happened in one world."""

    struck: list[tuple[str, float]] = field(default_factory=list)
    """Faults, and the seconds from the beginning of each until the service was ready and answering again."""
    counts: dict[str, int] = field(default_factory=dict)
    transitions: int = 0
    payloads: int = 0
    positions: int = 0
    runs: int = 0
    resumed: int = 0
    verified: str = ""
    errors: int = 0


Say = Callable[[str], None]


async def chaos(ground: Ground, force: Force, say: Say) -> Outcome:
    """Let faults befall a world until the time is over. Raises Violation for the first thing that does not hold."""
    journal = Journal()
    outcome = Outcome()
    load = Load(journal, clients=force.clients, pause=force.pause, seed=ground.seed)
    async with world(ground, load.tally) as there:
        load.base = there.service.url
        examiner = Examiner(there, journal)
        try:
            await load.caller(there.client, there.random).define()
            await _befall(there, load, examiner, (force, outcome, say))
            outcome.verified = await there.verify()
            await there.service.stop()
        finally:
            await examiner.close()
    _sum_up(outcome, load, examiner, there)
    outcome.transitions, outcome.payloads = journal.acknowledged
    return outcome


async def _befall(there: World, load: Load, examiner: Examiner, plan: tuple[Force, Outcome, Say]) -> None:
    force, outcome, say = plan
    end = time.monotonic() + force.seconds
    for fault in _shuffled(there, force):
        if outcome.struck and time.monotonic() >= end:
            break
        try:
            async with load.running():
                await load.answered(force.before)
                outcome.struck.append((fault.name, await _strike(fault, there, load, force)))
            await examiner.examine()
        except Violation as violation:
            violation.add_note(f"after fault {len(outcome.struck)}: {fault.name}")
            raise
        say(f"{fault.name}: over after {outcome.struck[-1][1]:.1f} s; {examiner.ledger.position} events hold")
    await examiner.caught_up()


def _shuffled(there: World, force: Force) -> Iterator[Fault]:
    """Give all faults in some order, and then in another."""
    chance = Random(there.random.random())
    for _ in range(force.turns):
        faults = [fault for fault in faults_for(there) if _is_wanted(fault, force)]
        chance.shuffle(faults)
        yield from (fault for fault in faults if fault.applies(there))


def _is_wanted(fault: Fault, force: Force) -> bool:
    return fault.strike.__name__ in force.only if force.only else not fault.slow


async def _strike(fault: Fault, there: World, load: Load, force: Force) -> float:
    """Strike, and wait until the service is back; return the seconds from the first to the last."""
    pid, began = there.service.pid, time.monotonic()
    await fault.strike(there, force.longest)
    await there.service.until_ready(_BACK_S)
    await load.answered(force.before)
    if fault.survived and (there.service.pid != pid or not there.service.is_alive()):
        raise Violation(f"the service did not live through it:\n{there.service.log[-3000:]}")
    return time.monotonic() - began


def _sum_up(outcome: Outcome, load: Load, examiner: Examiner, there: World) -> None:
    outcome.counts = dict(load.tally.counts)
    outcome.positions, outcome.runs = examiner.ledger.position, len(examiner.ledger.runs)
    outcome.resumed = examiner.resumed
    outcome.errors = there.service.log.count(" ERROR ")

"""Strikes one fault after the other in one world, each under load, and checks everything after each."""

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
    """The intensity of a test."""

    seconds: float
    clients: int = 24
    pause: float = 0.05
    """The longest rest of a client between two runs, in seconds."""
    before: int = 150
    """Requests that must be answered before each fault, and again once the service is back."""
    longest: float = 12.0
    """The longest pause in seconds; a statement of the service times out after 10."""
    only: tuple[str, ...] = ()
    """Faults by the names of their functions; empty: all."""
    turns: int = 1000
    """How often each fault may strike."""


@dataclass
class Outcome:
    """What happened in one world."""

    struck: list[tuple[str, float]] = field(default_factory=list)
    """The faults, each with the seconds from its beginning until the service was ready and answering again."""
    counts: dict[str, int] = field(default_factory=dict)
    transitions: int = 0
    payloads: int = 0
    positions: int = 0
    runs: int = 0
    resumed: int = 0
    heard: int = 0
    questions: int = 0
    verified: str = ""
    errors: int = 0


Progress = Callable[[str], None]


async def chaos(ground: Ground, force: Force, progress: Progress) -> Outcome:
    """Strike faults in a world until the time is over. Raises Violation for the first invariant that does not hold."""
    journal = Journal()
    outcome = Outcome()
    load = Load(journal, clients=force.clients, pause=force.pause, seed=ground.seed)
    async with world(ground, load) as there:
        examiner = Examiner(there, journal)
        try:
            await load.caller(there.client, there.random).define()
            await _strike_all(there, load, examiner, (force, outcome, progress))
            outcome.verified = await there.verify()
            await there.service.stop()
        finally:
            await examiner.close()
    _sum_up(outcome, load, examiner, there)
    outcome.transitions, outcome.payloads = journal.acknowledged
    return outcome


async def _strike_all(there: World, load: Load, examiner: Examiner, plan: tuple[Force, Outcome, Progress]) -> None:
    force, outcome, progress = plan
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
        progress(f"{fault.name}: over after {outcome.struck[-1][1]:.1f} s; {examiner.ledger.position} events verified")
    await examiner.caught_up()
    await examiner.examine(last=True)


def _shuffled(there: World, force: Force) -> Iterator[Fault]:
    """Yield all faults in a random order, then again in another one."""
    chance = Random(there.random.random())
    for _ in range(force.turns):
        faults = [fault for fault in faults_for(there) if _is_wanted(fault, force)]
        chance.shuffle(faults)
        yield from (fault for fault in faults if fault.applies(there))


def _is_wanted(fault: Fault, force: Force) -> bool:
    return fault.strike.__name__ in force.only if force.only else not fault.slow


async def _strike(fault: Fault, there: World, load: Load, force: Force) -> float:
    """Strike, and wait until the service answers again; return the seconds that took."""
    pid, began = there.service.pid, time.monotonic()
    await fault.strike(there, force.longest)
    await there.service.until_ready(_BACK_S)
    await load.answered(force.before)
    if fault.survived and (there.service.pid != pid or not there.service.is_alive()):
        raise Violation(f"the service did not survive the fault:\n{there.service.log[-3000:]}")
    return time.monotonic() - began


def _sum_up(outcome: Outcome, load: Load, examiner: Examiner, there: World) -> None:
    outcome.counts = dict(load.tally.counts)
    outcome.positions, outcome.runs = examiner.ledger.position, len(examiner.ledger.runs)
    outcome.resumed, outcome.heard, outcome.questions = examiner.resumed, examiner.heard, examiner.questions
    outcome.errors = there.service.log.count(" ERROR ")

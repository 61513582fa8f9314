"""Looks whether everything holds: the ledger, what the clients were told, and what the service shows."""

from __future__ import annotations

from random import Random

from chaos import checks
from chaos.follower import Follower
from chaos.journal import Journal
from chaos.model import Ledger
from chaos.reading import Reading
from chaos.waiting import Violation, until
from chaos.world import World
from service.audit.verification import verify_ledger

CAUGHT_UP_S = 30.0
_LOOKS = 10
"""Requests that a client gave up on may still be carried out while we look; so often, at most, we look again."""

CHECKED = (
    "positions follow one another without a gap, and recorded_at never goes back",
    "every row is something that was sent: by run, state and time, or by the bytes of its payload",
    "nothing is recorded twice; what was acknowledged is recorded, once",
    "every 200 to an end came with a view in that state; no run got a second end or was reopened by a command",
    "of those who reported different ends of a run at once, all were shown the same end",
    "who read what it had written found it, by itself and in its job's list",
    "runs, lists, totals, what is RUNNING and jobs' latest runs are as a fold of the ledger makes them",
    "a stream of events, resumed after each fault, missed nothing and told nothing twice",
    "every 503 had a Retry-After; no answer was a 500 or another that may not be",
    "the hash chain and the payloads' digests verify",
)


class Examiner:
    """Knows what was sent, and has read the ledger up to somewhere."""

    def __init__(self, world: World, journal: Journal) -> None:
        """Take what to look at and what was sent."""
        self._world = world
        self._journal = journal
        self.ledger = Ledger(journal)
        self._reading = Reading(world.client, self.ledger, Random(world.random.random()))
        self._follower = Follower(world.service.url)
        self._verified = 0

    async def close(self) -> None:
        """Stop following."""
        await self._follower.close()

    @property
    def resumed(self) -> int:
        """How often the stream of events was taken up again."""
        return self._follower.resumed

    async def examine(self) -> None:
        """Look at everything, while no client asks. Raises Violation for the first thing that does not hold."""
        await self._read_on()
        checks.check(self._journal, self.ledger)
        await self._chain()
        await self._shown()
        await self._follower.reaches(self.ledger.position)

    async def caught_up(self) -> None:
        """Wait until the catalog holds the whole ledger."""

        async def no_lag() -> bool:
            return await self._world.database.lag() == 0

        await until(no_lag, "the catalog has folded all there is", CAUGHT_UP_S)

    async def _read_on(self) -> None:
        database = self._world.database
        while rows := await database.after(self.ledger.position):
            self.ledger.take(rows)

    async def _chain(self) -> None:
        """Verify what came since the last time."""
        if self.ledger.position > self._verified:
            verdict = await verify_ledger(self._world.database.dsn, self._verified + 1, self.ledger.position)
            if not verdict.ok:
                raise Violation(f"position {verdict.broken_at} does not verify: {verdict.reason}")
            self._verified = self.ledger.position

    async def _shown(self) -> None:
        """Hold what is shown against the ledger; again, where something was recorded meanwhile."""
        for _ in range(_LOOKS):
            problem = await self._reading.problem()
            if problem is None:
                return
            if await self._world.database.head() == self.ledger.position:
                raise Violation(problem)
            await self._read_on()
        raise Violation(f"the ledger never stands still, though nobody asks; the last difference: {problem}")

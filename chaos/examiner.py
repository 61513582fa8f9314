"""Checks all invariants: of the ledger, of the answers the clients got, and of what the service shows."""

from __future__ import annotations

from random import Random

from chaos import checks
from chaos.follower import Follower, listenings
from chaos.journal import Journal
from chaos.model import Ledger
from chaos.past import Past
from chaos.reading import Reading
from chaos.waiting import Violation, until
from chaos.world import READER, World
from service.audit.verification import verify_ledger

CAUGHT_UP_S = 30.0
_MAX_COMPARISONS = 10
"""How often the views are compared again: requests that clients gave up on may be recorded during the check."""

CHECKED = (
    "positions follow one another without a gap, and recorded_at never goes back",
    "every row was sent by a client: it matches by run, state and time, or by the bytes of its payload",
    "nothing is recorded twice, and everything that was acknowledged is recorded once",
    "every 200 for an end had a view in that state; no command gave a run a second end or reopened it",
    "clients that reported different ends of a run at the same time all saw the same end",
    "a client that read what it had written found it, as a single run and in its job's list",
    "runs, lists, totals, RUNNING runs and the latest runs of jobs are what the rows of the ledger yield",
    "so is what filters of runs and of events find, in its order",
    "what was known of a run at a time that had passed was right, and the same whenever it was asked again",
    "each row names the API key that sent it; with an Idempotency-Key of the same text, another key's request is new",
    "nothing that was sent with an API key 5 s after its revocation was acknowledged or recorded",
    "streams of events, with filters or far behind, delivered every matching event exactly once",
    "every 503 had a Retry-After, and no answer had a 500 or another unexpected status",
    "the hash chain and the payloads' digests verify",
)


class Examiner:
    """Reads the ledger step by step and compares it with the journal and with the service's answers."""

    def __init__(self, world: World, journal: Journal) -> None:
        """`world` is examined; `journal` holds what was sent."""
        self._world = world
        self._journal = journal
        self.ledger = Ledger(journal)
        base, secret = world.service.url, world.secrets[READER]
        self._followers = [Follower(base, secret, listening) for listening in listenings(next(iter(world.secrets)))]
        client = world.client.with_secret(secret)
        self._reading = Reading(client, self.ledger, Random(world.random.random()), self._followers)
        self._past = Past(client, self.ledger, Random(world.random.random()))
        self._verified = 0

    async def close(self) -> None:
        """Stop following."""
        for follower in self._followers:
            await follower.close()

    @property
    def resumed(self) -> int:
        """How often the streams of events were resumed."""
        return sum(max(0, follower.connected - 1) for follower in self._followers)

    @property
    def heard(self) -> int:
        """How many events the listeners received."""
        return sum(len(follower.received) for follower in self._followers)

    @property
    def questions(self) -> int:
        """How many questions about the past were asked."""
        return len(self._past.answers)

    async def examine(self, *, last: bool = False) -> None:
        """Check everything while no client sends requests. Raises Violation for what does not hold.

        `last`: it is the last time, so that listeners which lag have to catch up.
        """
        await self._read_on()
        checks.check(self._journal, self.ledger)
        await self._verify_chain()
        await self._compare_views()
        await self._past.examine()
        for follower in self._followers:
            await follower.wait(last=last)

    async def caught_up(self) -> None:
        """Wait until the whole ledger is projected into the catalog."""

        async def no_lag() -> bool:
            return await self._world.database.lag() == 0

        await until(no_lag, "the whole ledger is projected", CAUGHT_UP_S)

    async def _read_on(self) -> None:
        database = self._world.database
        while rows := await database.after(self.ledger.position):
            self.ledger.take(rows)
            for follower in self._followers:
                follower.expect(rows)

    async def _verify_chain(self) -> None:
        """Verify the hash chain after the last verified position."""
        if self.ledger.position > self._verified:
            verdict = await verify_ledger(self._world.database.dsn, self._verified + 1, self.ledger.position)
            if not verdict.ok:
                raise Violation(f"position {verdict.broken_at} does not verify: {verdict.reason}")
            self._verified = self.ledger.position

    async def _compare_views(self) -> None:
        """Compare the service's views with the ledger; repeat if something was recorded during the comparison."""
        for _ in range(_MAX_COMPARISONS):
            problem = await self._reading.problem()
            if problem is None:
                return
            if await self._world.database.head() == self.ledger.position:
                raise Violation(problem)
            await self._read_on()
        raise Violation(f"the ledger keeps growing although no client sends requests; the last difference: {problem}")

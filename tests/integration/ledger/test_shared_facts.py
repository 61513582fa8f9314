"""One event that several callers send at the same moment: each answer is true for its caller."""

import asyncio
from uuid import uuid4

import pytest
from building import APPENDING, events, fact, held_head
from waiting import wait_until

from service.domain.binding import parse_binding
from service.domain.decisions import Decision, Report
from service.ledger.appender import Appender


@pytest.fixture
async def two_appenders(six_connections):
    """Two processes of the service, from the point of view of the ledger."""
    both = [Appender(connections) for connections in (six_connections[0], six_connections[2])]
    for appender in both:
        appender.start()
    yield both
    for appender in both:
        await appender.drain()


def appending(db, count):
    async def are():
        return len(await db.fetch(APPENDING)) == count

    return are


@pytest.mark.parametrize(("patterns", "decision"), [(("etl",), Decision.OUTSIDE), (("e*", "o*"), Decision.APPEND)])
async def test_a_fact_is_recorded_though_the_same_event_of_a_bound_key_lost_a_race(
    patterns, decision, two_appenders, dsn, db
):
    """Both are in one batch, and another process reports the run from elsewhere before that is appended."""
    appender, rival = two_appenders
    run = uuid4()
    event = fact(run, "RUNNING", 1)
    async with held_head(dsn):
        elsewhere = rival.fact(fact(run, "RUNNING", 2)._replace(namespace="other"))
        await wait_until(appending(db, 1), "the rival is the first to append")
        bound = appender.command(event, Report(parse_binding(patterns)))
        unbound = appender.fact(event)
        await wait_until(appending(db, 2), "the others have been decided, and wait to append")
    first, of_bound, of_unbound = await asyncio.gather(elsewhere, bound, unbound)
    assert (first.position, of_bound.decision) == (1, decision)
    recorded = [row["position"] for row in await events(db) if row["fact"] == event.fact]
    assert recorded == [of_unbound.position] == [2]

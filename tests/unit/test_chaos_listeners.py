"""The checks of chaos/ on listeners, past times, filters and API keys find what they are there to find."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from random import Random
from uuid import UUID, uuid4

import pytest

from chaos.checks import check
from chaos.client import Answer
from chaos.database import Row
from chaos.follower import Follower, Listening, listenings
from chaos.journal import Journal
from chaos.model import Ledger, Run
from chaos.past import Past, Question, check_known
from chaos.searching import searches
from chaos.waiting import Violation

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
RUN = UUID("0190a0a0-0000-7000-8000-000000000001")


def at(minutes):
    return NOON + timedelta(minutes=minutes)


def row(position, state="RUNNING", actor="ann", source="api"):
    time = at(position)
    return Row(position, "run", RUN, "transition", state, time, time, "chaos", "job", source, actor, None, None)


@pytest.fixture
async def follower():
    """A listener that is not connected."""
    return Follower("", "", Listening("starts", {"state": "RUNNING"}, lambda row: row.state == "RUNNING", lags=True))


async def test_each_matching_event_once_holds(follower):
    follower.expect([row(1), row(2, "FAILED"), row(3)])
    for position in (1, 3, 4):
        follower.take("", position)
    assert await follower._reached()
    follower.expect([row(4)])
    assert await follower._reached()


@pytest.mark.parametrize("received", [[1, 3], [1, 2, 3], [2]])
async def test_an_event_that_is_lost_or_does_not_match_is_found(received, follower):
    follower.expect([row(1), row(2, "FAILED"), row(3), row(4)])
    for position in received:
        follower.take("", position)
    if received == [1, 3]:
        follower.take("", 5)
    with pytest.raises(Violation, match="comes next"):
        await follower._reached()


@pytest.mark.parametrize("again", [1, 2])
async def test_an_event_that_comes_again_is_found(again, follower):
    for position in (1, 2):
        follower.take("", position)
    with pytest.raises(Violation, match="after 2"):
        follower.take("", again)


def test_listeners_tell_their_events_apart():
    rows = [row(1), row(2, "COMPLETED"), row(3, "FAILED", "bob"), row(4, None, "ann", "openlineage")]
    heard = {
        listening.name: [row.position for row in rows if listening.matches(row)] for listening in listenings("ann")
    }
    assert heard["everything"] == heard["everything, far behind"] == [1, 2, 3, 4]
    assert heard["ends"] == [2, 3]
    assert heard["a caller's commands"] == [1, 2]
    assert heard["events of OpenLineage, far behind"] == [4]


def a_run(**values):
    return Run(uuid4(), "chaos", "job", at(0), updated=at(9), **values)


def view_of(run, position=7):
    times = {"createdAt": run.created, "updatedAt": run.updated, "startedAt": run.started, "endedAt": None}
    shown = {name: time and time.isoformat() for name, time in times.items()}
    return {**shown, "state": run.state, "args": {}, "facets": {}, "asOf": {"position": position}}


def answer(view, status=200):
    return Answer(status, json.dumps(view).encode())


def test_an_answer_about_the_past_that_is_wrong_or_changes_is_found():
    run = a_run(started=at(1))
    question = Question(run.id, at(9))
    check_known(question, answer(view_of(run)), run, 7)
    for wrong in (view_of(run, 6), view_of(a_run(started=at(2))), view_of(a_run())):
        with pytest.raises(Violation):
            check_known(question, answer(wrong), run, 7)
    with pytest.raises(Violation, match="404"):
        check_known(question, answer({}, 404), run, 7)
    past = Past(None, Ledger(Journal()), Random(1))  # noqa: S311
    past.compare(question, answer(view_of(run)))
    past.compare(question, answer(view_of(run)))
    with pytest.raises(Violation, match="and later"):
        past.compare(question, answer(view_of(run), 404))


def test_a_search_finds_its_runs_in_its_order_and_no_others():
    runs = [a_run(started=at(n), end=(at(n + 5), n % 3), position=n + 1) for n in range(60)]
    runs += [a_run(position=100 + n) for n in range(10)]
    names = set()
    for seed in range(30):
        for search in searches(runs, Random(seed)):  # noqa: S311
            found = search.found_in(iter(runs))
            names |= set(search.parameters)
            chosen = [run for run in runs if search.matches(run)]
            assert set(found) == {run.id for run in chosen}
            keys = [search.order(next(run for run in runs if run.id == one)) for one in found]
            assert keys == sorted(keys, reverse=search.parameters.get("order") != "asc")
    assert names >= {"startedAfter", "startedBefore", "endedAfter", "updatedBefore", "runningAt", "order", "state"}


def test_an_event_of_a_key_that_is_missing_is_found():
    journal = Journal()
    journal.keys["ann", "revoked"] += 1
    with pytest.raises(Violation, match="API keys"):
        check(journal, Ledger(journal))


def test_an_event_that_was_sent_too_long_after_the_revocation_of_its_key_is_found():
    journal = Journal()
    body = b'{"run": {}}'
    journal.payload("an event with a key that is revoked", body, "ann", 0)
    recorded = row(1)._replace(body=body, payload_digest=sha256(body).digest())
    with pytest.raises(Violation, match="recorded 1 times"):
        Ledger(journal).take([recorded])

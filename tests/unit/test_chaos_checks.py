"""The checks of chaos/ find what they are there to find."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import pytest

from chaos.checks import check
from chaos.database import Row
from chaos.journal import Journal, now
from chaos.model import Ledger
from chaos.waiting import Violation

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
RUN = UUID("0190a0a0-0000-7000-8000-000000000001")


def at(minutes):
    return NOON + timedelta(minutes=minutes)


def row(position, state, time, *, run=RUN, body=None, recorded=None, actor="ann"):
    digest = sha256(body).digest() if body is not None else None
    recorded = recorded or at(position)
    return Row(position, "run", run, "transition", state, time, recorded, "chaos", "job", "api", actor, digest, body)


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def ledger(journal):
    return Ledger(journal)


def acknowledged(journal, state, time=None, *, key=None, shown=None, alone=True):
    said = journal.command(RUN, state, time, key, actor="ann", alone=alone)
    said.sending()
    said.acknowledged, said.shown = True, shown or time
    return said


def created(journal, body, limit=1, attempts=1):
    sent = journal.payload("a creation", body, "ann", limit)
    sent.attempts = attempts
    return sent


def test_what_was_acknowledged_and_is_there_holds(journal, ledger):
    created(journal, b"{}").acknowledged = 1
    acknowledged(journal, "RUNNING", at(1))
    acknowledged(journal, "COMPLETED", at(2))
    acknowledged(journal, "RUNNING", at(0))
    rows = [row(1, "NEW", at(0), body=b"{}"), row(2, "RUNNING", at(1)), row(3, "COMPLETED", at(2))]
    ledger.take([*rows, row(4, "RUNNING", at(0))])
    check(journal, ledger)
    assert ledger.runs[RUN].state == "COMPLETED"
    assert ledger.runs[RUN].started == at(0)


def test_a_lost_command_is_found(journal, ledger):
    acknowledged(journal, "RUNNING", at(1))
    with pytest.raises(Violation, match="acknowledged and not recorded"):
        check(journal, ledger)


def test_a_command_recorded_at_another_time_is_found(journal, ledger):
    acknowledged(journal, "RUNNING", at(1))
    journal.command(RUN, "RUNNING", at(2), actor="ann")
    ledger.take([row(1, "RUNNING", at(2))])
    with pytest.raises(Violation, match="not recorded at its time"):
        check(journal, ledger)


def test_a_command_without_a_time_that_is_recorded_twice_is_found(journal, ledger):
    acknowledged(journal, "RUNNING", key="k")
    ledger.take([row(1, "RUNNING", now()), row(2, "RUNNING", now())])
    with pytest.raises(Violation, match="recorded 2 times"):
        check(journal, ledger)


def test_a_time_that_is_shown_and_not_the_recorded_one_is_found(journal, ledger):
    acknowledged(journal, "FAILED", key="k", shown=at(1))
    ledger.take([row(1, "FAILED", now())])
    with pytest.raises(Violation, match="answered with endedAt"):
        check(journal, ledger)


@pytest.mark.parametrize("runs", [set(), {uuid4()}])
def test_a_lost_payload_is_found(runs, journal, ledger):
    sent = created(journal, b"{}", limit=None)
    sent.acknowledged, sent.runs = 1, runs
    with pytest.raises(Violation, match="acknowledged and is recorded 0 times"):
        check(journal, ledger)


def test_a_run_answered_under_another_id_is_found(journal, ledger):
    sent = created(journal, b"{}")
    sent.acknowledged, sent.runs = 1, {uuid4()}
    ledger.take([row(1, "NEW", at(0), body=b"{}")])
    with pytest.raises(Violation, match="was answered with"):
        check(journal, ledger)


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([row(2, "RUNNING", at(1))], "followed by 2"),
        ([row(1, "RUNNING", at(1)), row(2, "RUNNING", at(0), recorded=at(0))], "recorded_at goes back"),
        ([row(1, "ABORTED", at(1))], "was never sent"),
        ([row(1, "RUNNING", at(3))], "was never sent"),
        ([row(1, "RUNNING", at(1)), row(2, "RUNNING", at(1))], "recorded twice"),
        ([row(1, "COMPLETED", at(0)), row(2, "FAILED", at(0))], "and then"),
        ([row(1, "COMPLETED", at(0)), row(2, "RUNNING", at(1))], "and then"),
        ([row(1, "NEW", at(0), body=b'{"args":{}}')], "payload that was never sent"),
        ([row(1, "NEW", at(0), body=b"{}"), row(2, "NEW", at(0), body=b"{}")], "recorded 2 times"),
        ([row(1, "NEW", at(0), body=b"{}")._replace(body=b"{ }")], "SHA-256"),
        ([row(1, "NEW", at(0), body=b"{}")._replace(body=None)], "only one of digest and payload"),
        ([row(1, "NEW", at(0), body=b"{}", actor="bob")], "sent by ann, and position 1 names bob"),
        ([row(1, "RUNNING", at(1), actor=None)], "was not sent by None"),
        ([row(1, None, at(0), body=b'{"name": "x"}')._replace(subject="key", kind="created")], "API key"),
    ],
)
def test_a_ledger_that_cannot_be_is_found(rows, what, journal, ledger):
    for state, time in (("RUNNING", at(1)), ("RUNNING", at(0)), ("COMPLETED", at(0)), ("FAILED", at(0))):
        journal.command(RUN, state, time, actor="ann")
    created(journal, b"{}", attempts=2)
    with pytest.raises(Violation, match=what):
        ledger.take(rows)


def test_a_creation_without_id_and_key_may_be_recorded_once_an_attempt(journal, ledger):
    created(journal, b"{}", limit=None, attempts=2)
    ledger.take([row(1, "NEW", at(0), body=b"{}", run=uuid4()), row(2, "NEW", at(0), body=b"{}", run=uuid4())])
    with pytest.raises(Violation, match="recorded 3 times"):
        ledger.take([row(3, "NEW", at(0), body=b"{}", run=uuid4())])


def test_a_view_that_is_not_the_fold_is_found(journal, ledger):
    body = json.dumps({"run": {"facets": {"beat": {"n": 1}}}}).encode()
    created(journal, body)
    ledger.take([row(1, "RUNNING", at(1), body=body)])
    run = ledger.runs[RUN]
    times = {"createdAt": at(1), "updatedAt": at(1), "startedAt": at(1), "endedAt": None}
    view = {name: time and time.isoformat() for name, time in times.items()}
    view |= {"state": "RUNNING", "args": {}, "facets": {"beat": {"n": 1}}}
    assert run.differs(view) is None
    assert "startedAt" in run.differs(view | {"startedAt": at(2).isoformat()})
    assert "facets" in run.differs(view | {"facets": {}})

"""The events of `runfold demo --history`: the same for the same seed, and what a month of runs has."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from service.cli.commands.history import History, batches

NOW = datetime(2026, 3, 14, 3, 7, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def events():
    return [json.loads(line) for line in History(NOW, 30, 1).lines()]


def test_the_same_seed_and_time_make_the_same_events_and_another_seed_makes_others(events):
    assert [json.loads(line) for line in History(NOW, 30, 1).lines()] == events
    assert History(NOW, 2, 1).lines() != History(NOW, 2, 2).lines()


def test_nothing_happens_later_than_now(events):
    assert max(event["eventTime"] for event in events) <= NOW.isoformat()


def test_a_month_has_what_there_is_to_see(events):
    kinds, starts = defaultdict(list), {}
    for event in events:
        kinds[event["run"]["runId"]].append(event["eventType"])
        if event["eventType"] == "START":
            starts[event["run"]["runId"]] = datetime.fromisoformat(event["eventTime"])
    ends = Counter(
        frozenset(kind for kind in of_run if kind in {"COMPLETE", "FAIL", "ABORT"}) for of_run in kinds.values()
    )
    assert len(kinds) > 5_000
    assert len({(event["job"]["namespace"], event["job"]["name"]) for event in events}) > 200
    assert ends[frozenset({"FAIL"})] > 50
    assert sum(count for of_run, count in ends.items() if len(of_run) > 1) > 10
    silent = [run for run, of_run in kinds.items() if not {"COMPLETE", "FAIL", "ABORT"} & set(of_run)]
    assert sum(starts[run] > NOW - timedelta(hours=3) for run in silent) >= 8
    assert sum(starts[run] < NOW - timedelta(days=1) for run in silent) >= 3
    sent_late = sum(event["eventTime"] < before["eventTime"] for before, event in pairwise(events))
    assert sent_late > 20
    parents = [
        event["run"]["facets"]["parent"]["run"]["runId"] for event in events if "parent" in event["run"]["facets"]
    ]
    assert len(parents) > 5_000
    assert set(parents) <= set(kinds)


def test_bodies_have_all_lines():
    lines = [b"%d" % number for number in range(25)]
    assert b"".join(batches(lines, 10)).split() == lines
    assert [body.count(b"\n") for body in batches(lines, 10)] == [10, 10, 5]

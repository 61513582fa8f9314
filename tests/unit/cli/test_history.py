"""The events of `runfold demo --history`: the same for the same seed, and what a month of runs has."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest

from service.cli.commands.history import History, batches

NOW = datetime(2026, 3, 14, 3, 7, 9, tzinfo=UTC)
ENDS = {"COMPLETE", "FAIL", "ABORT"}


@pytest.fixture(scope="module")
def events():
    return [json.loads(line) for line in History(NOW, 30, 1).lines()]


def by_run(now, days=2):
    """Return the reports of each run, in the order in which they are recorded: type, time, when recorded, job."""
    runs = defaultdict(list)
    for recorded_at, line in History(now, days, 1).sent():
        event = json.loads(line)
        report = (event["eventType"], datetime.fromisoformat(event["eventTime"]), recorded_at, event["job"]["name"])
        runs[event["run"]["runId"]].append(report)
    return runs


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
    ends = Counter(frozenset(kind for kind in of_run if kind in ENDS) for of_run in kinds.values())
    assert len(kinds) > 5_000
    assert len({(event["job"]["namespace"], event["job"]["name"]) for event in events}) > 200
    assert ends[frozenset({"FAIL"})] > 50
    assert sum(count for of_run, count in ends.items() if len(of_run) > 1) > 10
    silent = [run for run, of_run in kinds.items() if not ENDS & set(of_run)]
    assert sum(starts[run] > NOW - timedelta(hours=5) for run in silent) >= 4
    assert sum(starts[run] < NOW - timedelta(days=1) for run in silent) >= 3
    sent_late = sum(event["eventTime"] < before["eventTime"] for before, event in pairwise(events))
    assert sent_late > 20
    parents = [
        event["run"]["facets"]["parent"]["run"]["runId"] for event in events if "parent" in event["run"]["facets"]
    ]
    assert len(parents) > 5_000
    assert set(parents) <= set(kinds)


def test_most_reports_are_recorded_within_seconds_some_hours_later_and_none_before_it_happened():
    sent = History(NOW, 30, 1).sent()
    lags = [at - datetime.fromisoformat(json.loads(line)["eventTime"]) for at, line in sent]
    assert min(lags) >= timedelta()
    assert sum(lag < timedelta(seconds=10) for lag in lags) > 0.95 * len(lags)
    assert sum(lag > timedelta(hours=1) for lag in lags) > 20
    assert all(before.recorded_at <= after.recorded_at for before, after in pairwise(sent))
    assert sent[-1].recorded_at <= NOW


@pytest.mark.parametrize("hour", [0, 3, 6, 12, 18, 23])
def test_last_night_a_run_failed_that_was_known_as_running_at_three(hour):
    now = datetime(2026, 3, 14, hour, 40, tzinfo=timezone(timedelta(hours=-7)))
    midnight = now.replace(hour=0, minute=0) - timedelta(days=hour < 5)
    runs = by_run(now).values()
    (spark,) = [
        of_run
        for of_run in runs
        if of_run[0][3] == "sales_daily.spark_aggregate" and timedelta() < of_run[0][1] - midnight < timedelta(hours=6)
    ]
    (started, failed) = spark
    three = midnight + timedelta(hours=3)
    assert (started[0], failed[0]) == ("START", "FAIL")
    assert started[2] < failed[1] < three < failed[2] <= now
    last_night = [of_run for of_run in runs if midnight <= of_run[0][1] < midnight + timedelta(hours=6)]
    ends = [{report[0] for report in of_run} & ENDS for of_run in last_night]
    assert any(len(kinds) > 1 for kinds in ends), "contradicted"
    assert any([report[0] for report in of_run][-2:] == ["COMPLETE", "START"] for of_run in last_night), "restarted"


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_at_any_hour_runs_are_under_way_with_news_and_others_are_silent(hour):
    now = datetime(2026, 3, 14, hour, 17, tzinfo=UTC)
    running = [of_run for of_run in by_run(now, 6).values() if not {report[0] for report in of_run} & ENDS]
    heard = [now - of_run[-1][2] for of_run in running]
    assert sum(lag < timedelta(minutes=20) for lag in heard) >= 2
    assert sum(lag > timedelta(days=1) for lag in heard) >= 3


def test_bodies_have_all_lines():
    lines = [b"%d" % number for number in range(25)]
    assert b"".join(batches(lines, 10)).split() == lines
    assert [body.count(b"\n") for body in batches(lines, 10)] == [10, 10, 5]

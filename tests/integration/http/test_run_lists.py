"""Lists of runs in the order that `sort` names, and as lines of NDJSON and CSV."""

import csv
import io
import json
from datetime import datetime
from uuid import UUID

import pytest
from building import fact
from histories import at

from service.http.resources import RESOURCES

RUNS = "/api/v1/runs"
KEYS = {
    "start": lambda run: run["startedAt"] or run["createdAt"],
    "end": lambda run: run["endedAt"],
    "update": lambda run: run["updatedAt"],
    "duration": lambda run: run["durationMs"],
}


@pytest.fixture
async def filled(client):
    """Runs of which the order of starts, ends, durations and reports are four different ones; an end before a start."""
    lives = [(5, 90), (1, 2), (9, 10), (3, 80), (7, None), (2, 1.5), (4, 34), (6, 36)]
    reports = [("RUNNING", start, n) for n, (start, _) in enumerate(lives)]
    reports += [("COMPLETED", end, n) for n, (_, end) in reversed([*enumerate(lives)]) if end is not None]
    for state, minute, n in [*reports, ("NEW", 8, len(lives))]:
        job = ("load", 'a,b\n"c" é')[n % 2]
        await client.app[RESOURCES].appender.fact(fact(UUID(int=n + 1), state, minute, job=job))
    return client


async def pages(client, limit, **params):
    found, cursor = [], "start"
    while cursor:
        answer = await client.get(RUNS, params={**params, "limit": limit, "cursor": cursor})
        assert answer.status == 200, await answer.text()
        page = await answer.json()
        found, cursor = found + page["runs"], page["next"]
    return found


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", KEYS)
@pytest.mark.parametrize("filters", [{}, {"job": "load"}, {"endedAfter": at(3).isoformat()}], ids=str)
async def test_runs_come_in_the_order_that_is_asked_for_page_by_page(filled, sort, order, filters):
    found = await pages(filled, 2, sort=sort, order=order, **filters)
    every = await pages(filled, 100, **filters)
    key = KEYS[sort]
    expected = sorted(
        filter(key, every) if sort != "duration" else (run for run in every if key(run) is not None), key=key
    )
    if order == "desc":
        expected.reverse()
    assert [key(run) for run in found] == [key(run) for run in expected]
    assert {run["id"] for run in found} == {run["id"] for run in expected}


async def test_without_sort_the_order_is_that_of_the_time_that_filters_bound(filled):
    bounded = {"endedAfter": at(0).isoformat()}
    assert await pages(filled, 3, **bounded) == await pages(filled, 3, sort="end", **bounded)
    assert await pages(filled, 3) == await pages(filled, 3, sort="start")


async def test_lines_are_all_runs_that_the_pages_have(filled):
    params = {"sort": "duration", "job": "load"}
    answer = await filled.get(RUNS, params=params, headers={"Accept": "application/x-ndjson"})
    assert answer.content_type == "application/x-ndjson"
    listed = await pages(filled, 2, **params)
    assert [json.loads(line) for line in (await answer.text()).splitlines()] == listed
    some = await filled.get(RUNS, params={**params, "limit": 2}, headers={"Accept": "application/x-ndjson"})
    assert [json.loads(line) for line in (await some.text()).splitlines()] == listed[:2]
    head = await filled.head(RUNS, params=params, headers={"Accept": "text/csv"})
    assert (head.status, head.content_type, await head.read()) == (200, "text/csv", b"")


async def test_csv_has_a_record_for_each_run_whatever_names_contain(filled):
    answer = await filled.get(RUNS, headers={"Accept": "text/csv"})
    records = list(csv.DictReader(io.StringIO(await answer.text())))
    listed = await pages(filled, 100)
    assert [record["id"] for record in records] == [run["id"] for run in listed]
    for record, run in zip(records, listed, strict=True):
        assert (record["namespace"], record["job"]) == (run["job"]["namespace"], run["job"]["name"])
        for name in ("state", "startedAt", "endedAt", "createdAt"):
            assert record[name] == (run[name] or "")
        assert record["durationMs"] == ("" if run["durationMs"] is None else str(run["durationMs"]))
        assert not record["startedAt"] or datetime.fromisoformat(record["startedAt"])


async def test_a_list_of_lines_without_runs_is_empty(client):
    assert await (await client.get(RUNS, headers={"Accept": "application/x-ndjson"})).text() == ""
    assert (await (await client.get(RUNS, headers={"Accept": "text/csv"})).text()).count("\n") == 1

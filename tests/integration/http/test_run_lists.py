"""Lists of runs in the order that `sort` names, and as lines of NDJSON and CSV."""

import csv
import io
import json
from datetime import datetime
from uuid import UUID

import pytest
from building import fact
from databases import filled
from histories import at
from partitions import append

from service.database.connections import Connections
from service.ledger.events import append_events

RUNS = "/api/v1/runs"
KEYS = {
    "start": lambda run: run["startedAt"] or run["createdAt"],
    "end": lambda run: run["endedAt"],
    "update": lambda run: run["updatedAt"],
    "duration": lambda run: run["durationMs"],
}


async def record(dsn):
    """Record runs whose starts, ends, durations and reports have four different orders; one ends before it starts."""
    lives = [(5, 90), (1, 2), (9, 10), (3, 80), (7, None), (2, 1.5), (4, 34), (6, 36)]
    reports = [("RUNNING", start, n) for n, (start, _) in enumerate(lives)]
    reports += [("COMPLETED", end, n) for n, (_, end) in reversed([*enumerate(lives)]) if end is not None]
    drafts = []
    for state, minute, n in [*reports, ("NEW", 8, len(lives))]:
        job = ("load", 'a,b\n"c" é')[n % 2]
        drafts.append(fact(UUID(int=n + 1), state, minute, job=job))
    async with Connections(dsn) as connections:
        await append_events(connections, drafts, [None] * len(drafts))


@pytest.fixture(scope="module")
def common_ledger(postgres):
    with filled(postgres, record) as name:
        yield name


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
@pytest.mark.common
async def test_runs_come_in_the_order_that_is_asked_for_page_by_page(client, sort, order, filters):
    found = await pages(client, 2, sort=sort, order=order, **filters)
    every = await pages(client, 100, **filters)
    key = KEYS[sort]
    expected = sorted(
        filter(key, every) if sort != "duration" else (run for run in every if key(run) is not None), key=key
    )
    if order == "desc":
        expected.reverse()
    assert [key(run) for run in found] == [key(run) for run in expected]
    assert {run["id"] for run in found} == {run["id"] for run in expected}


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", [{}, *({"sort": sort} for sort in KEYS)], ids=str)
@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"minDurationMs": 60_000}, {1, 2, 3, 4, 7, 8}),
        ({"minDurationMs": 30 * 60_000}, {1, 4, 7, 8}),
        ({"maxDurationMs": 30 * 60_000}, {2, 3, 6, 7, 8}),
        ({"minDurationMs": 60_001, "maxDurationMs": 85 * 60_000}, {1, 4, 7, 8}),
        ({"maxDurationMs": 30 * 60_000, "startedAfter": at(5).isoformat()}, {3, 8}),
        ({"minDurationMs": 78 * 60_000, "endedBefore": at(85).isoformat()}, set()),
    ],
    ids=str,
)
@pytest.mark.common
async def test_durations_are_bounded_in_any_order(client, bounds, expected, sort, order):
    found = await pages(client, 2, **bounds, **sort, order=order)
    assert {UUID(run["id"]).int for run in found} == expected
    if not sort and len(bounds) == 1:
        assert found == await pages(client, 100, **bounds, sort="duration", order=order)


@pytest.mark.copy_of("common_ledger")
async def test_the_runs_of_a_parent_are_found_with_every_other_filter(client, connections):
    for n, parent in ((20, 1), (21, 1), (22, 2), (23, None)):
        await append(connections, fact(UUID(int=n), "RUNNING", n)._replace(parent_run=parent and UUID(int=parent)))
    await append(connections, fact(UUID(int=20), "FAILED", 40))

    async def ids(**params):
        return [UUID(run["id"]).int for run in await pages(client, 1, parent=str(UUID(int=1)), **params)]

    assert await ids() == [21, 20]
    assert await ids(order="asc", sort="start") == [20, 21]
    assert await ids(state="FAILED") == await ids(minDurationMs=1) == await ids(sort="duration") == [20]
    assert await ids(job="another") == []
    assert await pages(client, 9, parent="never reported") == []


@pytest.mark.common
async def test_without_sort_the_order_is_that_of_the_time_that_filters_bound(client):
    bounded = {"endedAfter": at(0).isoformat()}
    assert await pages(client, 3, **bounded) == await pages(client, 3, sort="end", **bounded)
    assert await pages(client, 3) == await pages(client, 3, sort="start")


@pytest.mark.common
async def test_lines_are_all_runs_that_the_pages_have(client):
    params = {"sort": "duration", "job": "load"}
    answer = await client.get(RUNS, params=params, headers={"Accept": "application/x-ndjson"})
    assert answer.content_type == "application/x-ndjson"
    listed = await pages(client, 2, **params)
    assert [json.loads(line) for line in (await answer.text()).splitlines()] == listed
    some = await client.get(RUNS, params={**params, "limit": 2}, headers={"Accept": "application/x-ndjson"})
    assert [json.loads(line) for line in (await some.text()).splitlines()] == listed[:2]
    head = await client.head(RUNS, params=params, headers={"Accept": "text/csv"})
    assert (head.status, head.content_type, await head.read()) == (200, "text/csv", b"")


@pytest.mark.common
async def test_csv_has_a_record_for_each_run_whatever_names_contain(client):
    answer = await client.get(RUNS, headers={"Accept": "text/csv"})
    records = list(csv.DictReader(io.StringIO(await answer.text())))
    listed = await pages(client, 100)
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

"""GET /stats: what is counted, and in which interval."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from lineage_client import event

from service.database.statements import load
from service.domain.binding import parse_binding
from service.domain.intervals import last_days, last_hours
from service.domain.timestamps import now
from service.ledger.events import LOG
from service.lineage.event_type_counts import EventType, EventTypeCounts, type_of
from service.lineage.statistics import Counted, Statistics
from service.payloads.contents import decode_payload
from service.payloads.openlineage import Origin, read_lineage_event

NOW = datetime(2026, 11, 27, 10, 12, tzinfo=UTC)
ADD, ENTRIES = load("add_event_type_counts"), load("count_created_entries", within="true")
BERLIN = ZoneInfo("Europe/Berlin")


def read(kind, at, namespace="ns"):
    """Return an event as the projection gets it, and its content."""
    draft = read_lineage_event(event(kind, at.isoformat(), uuid4(), namespace=namespace).encode(), Origin("import"), at)
    recorded = draft.at(1, at)
    return recorded, decode_payload(recorded, draft.payload).content


async def count(connections, events, upto=1):
    counts = EventTypeCounts()
    for each in events:
        counts.add(*each)
    async with connections.connection() as connection:
        await connection.execute(ADD, LOG, *counts.columns(), upto)


async def entry(db, kind, created_at, namespace="ns", *, hidden=False):
    await db.execute(
        "insert into runfold.search_entries values ($1, $2, $3, $4, 'n', 'n', 'n', $5, 1, $6, $6)",
        *(uuid4(), kind, uuid4(), namespace, hidden, created_at),
    )


@pytest.mark.parametrize(
    ("kind", "counted"),
    [
        ("START", EventType.START),
        ("start", EventType.START),
        ("COMPLETE", EventType.COMPLETE),
        ("FAIL", EventType.FAIL),
        ("ABORT", EventType.ABORT),
        ("RUNNING", None),
        ("OTHER", None),
    ],
)
def test_the_types_that_marquez_counts_are_counted(kind, counted):
    assert type_of(*read(kind, NOW)) is counted


def test_what_the_api_records_is_not_counted():
    recorded, content = read("START", NOW)
    assert type_of(recorded._replace(source="api"), content) is None
    assert type_of(recorded._replace(subject="job"), content) is None


async def test_events_are_counted_in_the_hour_of_their_own_time(connections):
    hours = last_hours(NOW, UTC)
    edges = [read("START", hours[0].begin), read("FAIL", hours[0].begin - timedelta(microseconds=1))]
    edges += [read("COMPLETE", hours[23].end - timedelta(microseconds=1)), read("ABORT", hours[23].end)]
    await count(connections, edges, 1)
    await count(connections, [read("START", hours[0].begin), read("RUNNING", hours[0].begin)], 2)
    found = await Statistics(connections).event_types(hours, None)
    assert (len(found), found[0], found[23]) == (24, (2, 0, 0, 0), (0, 1, 0, 0))
    assert set(found[1:23]) == {(0, 0, 0, 0)}


async def test_events_are_counted_on_the_day_of_the_zone(connections):
    """Also on the one of 25 hours."""
    days = last_days(datetime(2026, 10, 27, 12, tzinfo=UTC), BERLIN)
    long_day = datetime(2026, 10, 24, 22, tzinfo=UTC)
    await count(connections, [read("START", long_day + timedelta(minutes=15 * quarter)) for quarter in range(-1, 101)])
    found = await Statistics(connections).event_types(days, None)
    assert [each.start for each in found] == [0, 0, 0, 1, 100, 1, 0]


async def test_events_of_other_namespaces_are_not_counted_for_a_bound_key(connections, db):
    events = [read("START", NOW, name) for name in ("team-a", "team-a/x", "team-a/x", "team-b")]
    await count(connections, events)
    await db.execute(
        "insert into runfold.dataset_namespaces select sha256(n::bytea), n from unnest($1::text[]) n",
        ["team-a/x", "team-b"],
    )
    binding = parse_binding(["team-a", "team-a/*"])
    found = await Statistics(connections).event_types(last_hours(NOW, UTC), binding)
    assert [each.start for each in found] == [0] * 23 + [3]


async def test_jobs_and_datasets_are_counted_from_when_they_were_first_seen(connections, db):
    hours = last_hours(NOW, UTC)
    for created_at in (datetime(2020, 1, 1, tzinfo=UTC), hours[3].begin, hours[3].end - timedelta(microseconds=1)):
        await entry(db, 0, created_at, "team-a")
    await entry(db, 0, hours[23].begin, "team-b", hidden=True)
    await entry(db, 0, hours[23].end)
    await entry(db, 1, hours[0].begin)
    statistics = Statistics(connections)
    assert await statistics.known_until(Counted.JOBS, hours, None) == [1] * 3 + [3] * 20 + [4]
    assert await statistics.known_until(Counted.DATASETS, hours, None) == [1] * 24
    assert await statistics.known_until(Counted.JOBS, hours, parse_binding(["team-b", "x*"])) == [0] * 23 + [1]


async def test_sources_are_counted(connections, db):
    days = last_days(NOW, BERLIN)
    for created_at in (days[6].begin - timedelta(microseconds=1), days[6].begin):
        await db.execute("insert into runfold.sources values ($1, 's', 1, $2, '')", uuid4(), created_at)
    statistics = Statistics(connections)
    assert await statistics.known_until(Counted.SOURCES, days, None) == [0] * 5 + [1, 2]
    assert await statistics.known_until(Counted.SOURCES, days, parse_binding(["team-a"])) == [0] * 7


async def test_jobs_are_counted_by_an_index(connections, db):
    await db.execute(
        "insert into runfold.search_entries select gen_random_uuid(), n % 2, gen_random_uuid(), 'ns', 'n', 'n', "
        "repeat('words ', 30), false, 1, now() - n * interval '1 minute', now() from generate_series(1, 20000) n"
    )
    await db.execute("vacuum analyze runfold.search_entries")
    async with connections.connection() as connection:
        plan = await connection.fetch(f"explain {ENTRIES}", 0, [NOW])
    assert "Seq Scan" not in str(plan)
    assert "Index Cond: (kind" in str(plan)
    known = await Statistics(connections).known_until(Counted.JOBS, last_hours(now(), UTC), None)
    assert known[-1] == 10_000


async def ask(client, path):
    async with client.get(f"/api/v1/stats/{path}") as response:
        return response.status, await response.json()


@pytest.mark.parametrize("counted", ["lineage-events", "jobs", "datasets", "sources"])
async def test_the_answers_have_the_form_that_marquez_interface_reads(client, counted):
    values = {"start", "complete", "fail", "abort"} if counted == "lineage-events" else {"count"}
    for query, length in (
        ("period=DAY", 24),
        ("period=day&timezone=Asia/Kolkata", 24),
        ("period=WEEK&timezone=Europe/Berlin", 7),
        ("period=WEEK", 7),
        ("period=WEEK&timezone=", 7),
        ("period=WEEK&timezone=Etc/GMT+3", 7),
    ):
        status, answer = await ask(client, f"{counted}?{query}")
        assert (status, len(answer)) == (200, length)
        assert {frozenset(each) for each in answer} == {frozenset({"startInterval", "endInterval"} | values)}
        assert all(isinstance(each[value], int) for each in answer for value in values)
        assert length == 24 or all(each["startInterval"].endswith("T00:00:00Z") for each in answer)


@pytest.mark.parametrize(
    "zone", ["Mars/Base", "..", "/etc/passwd", "../zone.tab", "Europe", "a%00b", "x" * 1000, "%FF"]
)
async def test_an_unknown_time_zone_is_refused(client, zone):
    status, problem = await ask(client, f"jobs?period=WEEK&timezone={zone}")
    assert (status, "there is no time zone" in problem["detail"]) == (400, True)


@pytest.mark.parametrize("query", ["", "?period=MONTH", "?period="])
async def test_a_period_is_a_day_or_a_week(client, query):
    status, problem = await ask(client, f"jobs{query}")
    assert (status, "period" in problem["detail"]) == (400, True)

"""The catalog: complete once an append is acknowledged, and the same whatever pages it is projected in."""

import asyncio
from random import Random
from uuid import UUID

import pytest
from building import fact, facts, new, report
from histories import at
from lost_tail import put_back, save
from served import Served

from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.database.connections import Connections
from service.domain.draft import job_target, namespace_target
from service.domain.event import RunState, Subject
from service.domain.namespace import NamespaceDefinition
from service.domain.payload import PayloadContent
from service.errors import DatabaseUnavailable
from service.http.app import build_app
from service.ledger.drafts import Caller, definition, deletion
from service.ledger.events import append_events, read_streams
from service.settings import Settings

TABLES = ("namespaces", "jobs", "runs", "run_counts")
EMPTY = "truncate runfold.namespaces, runfold.jobs, runfold.runs, runfold.run_counts"
BASE = "/api/v1"


async def project_all(connections, page_size):
    while (await project_next_page(CatalogProjection(connections), page_size)).events:
        pass


async def catalog(db):
    counts = "select job_id, state, total from runfold.run_counts where total <> 0 order by 1, 2"
    return {
        table: [
            tuple(row)
            for row in await db.fetch(counts if table == "run_counts" else f"select * from runfold.{table} order by id")
        ]
        for table in TABLES
    }


def a_history(seed, count=400):
    """Return a mix of everything that the catalog is projected from."""
    random = Random(seed)  # noqa: S311
    runs = [UUID(int=random.getrandbits(128), version=4) for _ in range(25)]
    for index in range(count):
        run, job, minute = random.choice(runs), random.choice(["load", "clean", "é/%"]), random.randrange(50)
        kind = random.randrange(11)
        if kind < 5:
            yield fact(run, random.choice([*RunState, None]), minute, job=job)
        elif kind < 8:
            transition, _ = report(run, random.choice(["RUNNING", "COMPLETED", "FAILED"]), minute)
            yield transition._replace(namespace="etl", job=job)
        elif kind == 8:
            yield new(run, job=job)[0]
        elif kind == 9:
            yield deletion(namespace_target("etl"), at(index), Caller())
        else:
            yield deletion(job_target("etl", job), at(index), Caller())
            yield a_namespace(f"owner {index}", index)


def a_namespace(owner, minute):
    content = PayloadContent(
        fact(UUID(int=1), None).decoded.content, NamespaceDefinition(at(minute), owner.encode(), owner, None)
    )
    body = f'{{"ownerName": "{owner}"}}'.encode()
    return definition(namespace_target("etl"), at(minute), body, content, Caller())


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_the_size_of_its_pages_the_catalog_is_the_same(connections, db, seed):
    drafts = list(a_history(seed))
    await append_events(connections, drafts, [None] * len(drafts))
    projected = []
    for page_size in (1, 7, 4000):
        await db.execute(EMPTY)
        await db.execute("update runfold.catalog_cursor set position = 0")
        await project_all(connections, page_size)
        projected.append(await catalog(db))
    assert projected[0] == projected[1] == projected[2]
    assert len(projected[0]["runs"]) > 20


async def test_a_run_is_read_the_same_however_far_the_catalog_is(connections):
    drafts = list(a_history(4, 150))
    await append_events(connections, drafts, [None] * len(drafts))
    runs = sorted({draft.stream for draft in drafts if draft.subject is Subject.RUN})
    views = []
    for page_size in (0, 40, 60, 4000):
        if page_size:
            await project_next_page(CatalogProjection(connections), page_size)
        views.append([one.registers for one in await read_streams(connections, Subject.RUN, runs, [None] * len(runs))])
    assert views[0] == views[1] == views[2] == views[3]


COUNTED = """
select job_id, state, count(*)
  from (
      select job_id, state from runfold.runs
       union all
      select j.job_id, r.state from runfold.run_jobs j join runfold.runs r on r.id = j.run_id
       union all
      select '00000000-0000-0000-0000-000000000000', 'contradicted' from runfold.runs where contradicted
       union all
      select '00000000-0000-0000-0000-000000000000', 'restarted' from runfold.runs where restarted
  ) c
 group by 1, 2 order by 1, 2
"""


async def test_counts_are_what_counting_would_say(connections, db):
    drafts = list(a_history(5))
    for part in range(0, len(drafts), 50):
        await append_events(connections, drafts[part : part + 50], [None] * len(drafts[part : part + 50]))
        await project_all(connections, 20)
    counted = await db.fetch(COUNTED)
    kept = await db.fetch("select job_id, state, total from runfold.run_counts where total <> 0 order by 1, 2")
    assert [tuple(row) for row in counted] == [tuple(row) for row in kept]


async def test_two_processes_that_project_at_once_project_each_event_once(six_connections, db):
    drafts = list(a_history(6))
    await append_events(six_connections[0], drafts, [None] * len(drafts))
    await asyncio.gather(*(project_all(connections, 13) for connections in six_connections))
    together = await catalog(db)
    await db.execute(EMPTY)
    await db.execute("update runfold.catalog_cursor set position = 0")
    await project_all(six_connections[0], 4000)
    assert await catalog(db) == together


FULL_DISK = """
create function runfold.full_disk() returns trigger language plpgsql as
$$ begin raise exception 'no space left' using errcode = 'disk_full'; end $$;
create trigger full_disk before insert on runfold.jobs for each row execute function runfold.full_disk()
"""


async def test_a_page_of_lost_events_is_not_written(dsn, connections, db):
    """The ledger lost its tail while a projector held a page of it."""
    await append_events(connections, facts(5), [None] * 5)
    await save(db)
    await append_events(connections, facts(5), [None] * 5)
    page = await CatalogProjection(connections).read_page(0, 100)
    assert page.upto == 10
    await put_back(db)
    async with Connections(dsn) as others:
        assert await CatalogProjection(others).write_page(page) is None
        assert await db.fetchval("select position from runfold.catalog_cursor") == 0
        assert (await project_next_page(CatalogProjection(others))).position == 5


async def test_a_projection_that_fails_leaves_the_cursor_where_it_was(connections, db):
    drafts = list(a_history(7, 50))
    await append_events(connections, drafts, [None] * len(drafts))
    await db.execute(FULL_DISK)
    with pytest.raises(DatabaseUnavailable, match="disk is full"):
        await project_next_page(CatalogProjection(connections))
    assert await db.fetchval("select position from runfold.catalog_cursor") == 0
    assert await db.fetchval("select count(*) from runfold.runs") == 0
    await db.execute("drop trigger full_disk on runfold.jobs")
    await project_all(connections, 4000)
    assert await db.fetchval("select position from runfold.catalog_cursor") == await db.fetchval(
        "select position from runfold.ledger_head"
    )


@pytest.fixture
async def two(dsn, aiohttp_client):
    """Two processes of the service, as far as the database can tell."""
    return [await aiohttp_client(Served(build_app(Settings(database_url=dsn)))) for _ in range(2)]


async def ok(response, status=200):
    assert response.status == status, await response.text()
    return await response.json()


async def define(client, job="load"):
    await ok(await client.put(f"{BASE}/namespaces/etl", json={"ownerName": "me"}))
    await ok(await client.put(f"{BASE}/namespaces/etl/jobs/{job}", json={"type": "BATCH", "inputs": [], "outputs": []}))


async def test_what_was_recorded_is_in_every_list_after_that(two):
    one, other = two
    await define(one)
    assert [job["name"] for job in (await ok(await other.get(f"{BASE}/jobs")))["jobs"]] == ["load"]
    for count in range(1, 8):
        run = await ok(await one.post(f"{BASE}/namespaces/etl/jobs/load/runs"), 201)
        listed = await ok(await other.get(f"{BASE}/namespaces/etl/jobs/load/runs"))
        assert (listed["runs"][0]["id"], listed["totalCount"]) == (run["id"], count)
        await ok(await other.post(f"{BASE}/jobs/runs/{run['id']}/start"))
        assert (await ok(await one.get(f"{BASE}/namespaces/etl/jobs/load")))["latestRun"]["state"] == "RUNNING"


async def test_a_job_defined_by_one_process_takes_runs_from_another_at_once(two):
    one, other = two
    for index in range(5):
        await define(one, f"job{index}")
        await ok(await other.post(f"{BASE}/namespaces/etl/jobs/job{index}/runs"), 201)


async def test_lists_filter_by_state_and_count_what_they_filter(client):
    await define(client)
    runs = [(await ok(await client.post(f"{BASE}/namespaces/etl/jobs/load/runs"), 201))["id"] for _ in range(4)]
    await ok(await client.post(f"{BASE}/jobs/runs/{runs[0]}/start"))
    await ok(await client.post(f"{BASE}/jobs/runs/{runs[1]}/fail"))
    path = f"{BASE}/namespaces/etl/jobs/load/runs"
    found = await ok(await client.get(f"{path}?state=RUNNING&state=FAILED"))
    assert ([run["id"] for run in found["runs"]], found["totalCount"]) == ([runs[1], runs[0]], 2)
    part = await ok(await client.get(f"{path}?limit=1&offset=1"))
    assert ([run["id"] for run in part["runs"]], part["totalCount"]) == ([runs[2]], 4)
    assert (await ok(await client.get(f"{path}?state=ABORTED"))) == {"runs": [], "totalCount": 0}


async def test_last_run_states_filter_by_the_newest_run(client):
    await define(client, "fails")
    await define(client, "runs")
    for job, end in (("fails", "fail"), ("runs", "start")):
        run = await ok(await client.post(f"{BASE}/namespaces/etl/jobs/{job}/runs"), 201)
        await ok(await client.post(f"{BASE}/jobs/runs/{run['id']}/{end}"))
    found = await ok(await client.get(f"{BASE}/jobs?lastRunStates=FAILED"))
    assert ([job["name"] for job in found["jobs"]], found["totalCount"]) == (["fails"], 1)
    both = await ok(await client.get(f"{BASE}/namespaces/etl/jobs?lastRunStates=FAILED,RUNNING"))
    assert both["totalCount"] == 2


def in_brief(job):
    """Return what a list in brief has of a job that `GET /jobs` shows."""
    runs = [{name: run[name] for name in ("id", "state", "startedAt", "durationMs")} for run in job["latestRuns"] or []]
    return {name: job[name] for name in ("namespace", "name", "updatedAt")} | {"latestRuns": runs}


async def test_jobs_in_brief_are_those_of_the_list_with_their_newest_runs(client):
    ends = {"new": [], "done": ["start", "complete"], "failed": ["fail"]}
    for job, verbs in ends.items():
        await define(client, job)
        for _ in range(11 if job == "done" else 1):
            run = (await ok(await client.post(f"{BASE}/namespaces/etl/jobs/{job}/runs"), 201))["id"]
            for second, verb in enumerate(verbs):
                await ok(await client.post(f"{BASE}/jobs/runs/{run}/{verb}?at=2026-01-01T00:00:0{second}.0009Z"))
    await define(client, "never ran")
    # A run with two ends that starts again, and one that names a second job.
    reports = [(kind, second, 1, "done") for second, kind in enumerate(("START", "COMPLETE", "FAIL", "START"))]
    for kind, second, run, job in (*reports, ("START", 0, 2, "done"), ("RUNNING", 1, 2, "second job of a run")):
        event = {"eventTime": f"2026-01-02T00:00:0{second}Z", "eventType": kind, "producer": "https://example.com"}
        event |= {"job": {"namespace": "etl", "name": job}, "run": {"runId": str(UUID(int=run))}}
        assert (await client.post(f"{BASE}/lineage", json=event)).status == 201
    for query in ("", "?limit=2&offset=1", "?name=n", "?lastRunStates=COMPLETED,RUNNING"):
        listed = await ok(await client.get(f"{BASE}/jobs{query}"))
        brief = await ok(await client.get(f"{BASE}/jobs/latest-runs{query}"))
        assert brief == {"totalCount": listed["totalCount"], "jobs": [in_brief(job) for job in listed["jobs"]]}, query
        assert listed["jobs"]


async def test_a_job_shows_its_ten_newest_runs(client):
    await define(client)
    runs = [(await ok(await client.post(f"{BASE}/namespaces/etl/jobs/load/runs"), 201))["id"] for _ in range(12)]
    job = await ok(await client.get(f"{BASE}/namespaces/etl/jobs/load"))
    assert [run["id"] for run in job["latestRuns"]] == runs[:1:-1]
    assert job["latestRun"] == job["latestRuns"][0]


async def test_a_deleted_job_takes_no_runs_until_it_is_defined_again(client):
    await define(client)
    await ok(await client.delete(f"{BASE}/namespaces/etl/jobs/load"))
    await ok(await client.post(f"{BASE}/namespaces/etl/jobs/load/runs"), 404)
    assert (await ok(await client.get(f"{BASE}/jobs")))["totalCount"] == 0
    await define(client)
    await ok(await client.post(f"{BASE}/namespaces/etl/jobs/load/runs"), 201)


async def test_a_deleted_namespace_is_hidden_until_it_is_defined_again(client):
    await define(client)
    await ok(await client.delete(f"{BASE}/namespaces/etl"))
    assert (await ok(await client.get(f"{BASE}/namespaces/etl")))["isHidden"] is True
    assert "etl" not in await names(client)
    await define(client)
    assert "etl" in await names(client)
    assert (await ok(await client.get(f"{BASE}/namespaces/etl/jobs")))["totalCount"] == 1


async def names(client):
    return [one["name"] for one in (await ok(await client.get(f"{BASE}/namespaces")))["namespaces"]]


async def test_defining_a_thing_as_it_is_defined_already_records_nothing(client, db):
    await define(client)
    before = await db.fetchval("select position from runfold.ledger_head")
    await define(client)
    assert await db.fetchval("select position from runfold.ledger_head") == before


async def test_a_catalog_that_does_not_catch_up_is_told_and_stale_lists_go_on(client, db):
    await define(client)
    holder = db.transaction()
    await holder.start()
    await db.execute("select from runfold.catalog_cursor for update")
    run = await ok(await client.post(f"{BASE}/namespaces/etl/jobs/load/runs"), 201)
    late = await client.get(f"{BASE}/namespaces/etl/jobs/load/runs")
    assert (late.status, late.headers["Retry-After"]) == (503, "2")
    stale = await ok(await client.get(f"{BASE}/namespaces/etl/jobs/load/runs?stale=true"))
    assert stale["totalCount"] == 0
    assert (await ok(await client.get(f"{BASE}/jobs/runs/{run['id']}")))["state"] == "NEW"
    await holder.rollback()
    assert (await ok(await client.get(f"{BASE}/namespaces/etl/jobs/load/runs")))["totalCount"] == 1

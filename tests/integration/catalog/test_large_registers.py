"""What callers send, however large, does not stop the catalog: registers and pages are bounded."""

import gzip
import json
from uuid import UUID, uuid4

import pytest
from building import fact
from histories import at
from served import Served

from service.catalog import batches, page_writer
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.domain.event import RunState, Subject
from service.domain.registers import FACET_LIMITS
from service.http.app import build_app
from service.ledger.events import append_events, read_streams
from service.maintenance.erase import erase_payloads
from service.settings import Settings

RUN = UUID("00000000-0000-4000-8000-000000000001")
MIB = 1024 * 1024


@pytest.fixture
def limits():
    before = FACET_LIMITS.count, FACET_LIMITS.size
    yield FACET_LIMITS
    FACET_LIMITS.set(*before)


def text_of(minute, run, facets, job_facets):
    return json.dumps(
        {
            "eventType": "RUNNING",
            "eventTime": at(minute).isoformat(),
            "producer": "tests",
            "run": {"runId": str(run), "facets": facets},
            "job": {"namespace": "etl", "name": "load", "facets": job_facets},
        }
    )


def large(minute, run=RUN, size=MIB, name="f"):
    text = text_of(minute, run, {name: {"a": "a" * size}}, {})
    return fact(run, RunState.RUNNING, minute, payload=text)


async def append(connections, drafts):
    await append_events(connections, drafts, [None] * len(drafts))


async def project_all(connections):
    pages = []
    while (page := await project_next_page(CatalogProjection(connections))).events:
        pages.append(page.events)
    return pages


async def size_of_registers(db):
    return await db.fetchval("select max(octet_length(registers)) from runfold.runs")


async def test_a_run_with_many_large_facets_is_listed_and_says_what_is_left_out(dsn, db, aiohttp_client):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
    for minute in range(8):
        text = text_of(minute, RUN, {f"f{minute}": {"a": "a" * MIB}}, {f"f{minute}": {"a": "a" * MIB}, "small": {}})
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        response = await client.post("/api/v1/lineage", data=gzip.compress(text.encode()), headers=headers)
        assert response.status == 201, await response.text()
    one = await (await client.get(f"/api/v1/jobs/runs/{RUN}")).json()
    assert (one["facetsOmitted"], one["facets"]) == (8, {})
    listed = await client.get("/api/v1/namespaces/etl/jobs/load/runs")
    assert listed.status == 200
    assert (await listed.json())["runs"] == [one]
    job = await (await client.get("/api/v1/namespaces/etl/jobs/load")).json()
    assert (job["facetsOmitted"], job["facets"]) == (8, {"small": {}})
    assert await size_of_registers(db) < 2 * 4 * MIB


@pytest.mark.usefixtures("limits")
async def test_the_limits_are_settings(dsn, aiohttp_client):
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn, max_facets=2, max_facets_bytes=100))))
    text = text_of(1, RUN, {"a": {}, "b": {"x": "x" * 100}}, {})
    response = await client.post("/api/v1/lineage", data=text, headers={"Content-Type": "application/json"})
    assert response.status == 201, await response.text()
    facets = await (await client.get(f"/api/v1/jobs/runs/{RUN}/facets?type=run")).json()
    assert (facets["facets"], facets["facetsOmitted"]) == ({"a": {}}, 1)


async def test_erasing_one_brings_the_others_back(dsn, connections, limits):
    limits.set(10, 1000)
    await append(
        connections, [large(1, size=100, name="a"), large(2, size=950, name="b"), large(3, size=200, name="c")]
    )
    await project_all(connections)
    assert await facets(connections) == {"a", "c"}
    await append(connections, [large(4, size=700, name="d")])
    await project_all(connections)
    assert await facets(connections) == {"a", "c"}
    await erase_payloads(dsn, 2, "a law", "somebody")
    assert await facets(connections) == {"a", "c"}, "d is larger than its share of what is left"
    await erase_payloads(dsn, 3, "a law", "somebody")
    assert await facets(connections) == {"a", "d"}


async def facets(connections):
    (state,) = await read_streams(connections, Subject.RUN, [RUN], [None])
    return {name for name, facet in state.registers.run_facets.items() if facet.value}


async def test_a_page_ends_where_its_payloads_have_too_many_bytes_as_text(connections):
    await append(connections, [large(minute, uuid4()) for minute in range(40)])
    assert max(await project_all(connections)) <= 16


async def test_a_page_reads_no_more_registers_than_it_may(connections, monkeypatch):
    runs = [uuid4() for _ in range(40)]
    await append(connections, [large(1, run, 10_000) for run in runs])
    await project_all(connections)
    monkeypatch.setattr(page_writer, "_REGISTER_BYTES", 60_000)
    await append(connections, [fact(run, None, 2) for run in runs])
    pages = await project_all(connections)
    assert (sum(pages), max(pages) <= 5) == (40, True)


async def test_registers_are_written_in_slices(connections, db, monkeypatch):
    monkeypatch.setattr(batches, "_STATEMENT_BYTES", 30_000)
    drafts = [large(minute, uuid4(), 10_000) for minute in range(20)]
    for index, draft in enumerate(drafts):
        drafts[index] = fact(draft.stream, "RUNNING", 1, job=f"job{index}", payload=draft.payload)
    await append(connections, drafts)
    written = []
    slices = page_writer.in_slices

    def spied(rows, *column):
        for one in slices(rows, *column):
            written.append(sum(len(value) for row in one for value in row if type(value) is bytes))
            yield one

    monkeypatch.setattr(page_writer, "in_slices", spied)
    assert await project_all(connections) == [20]
    assert max(written) <= 30_000
    assert await db.fetchval("select count(*) from runfold.runs") == 20

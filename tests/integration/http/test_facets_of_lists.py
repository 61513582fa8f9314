"""Lists of runs without facets, or with those of some names: more runs fit into a page."""

import json
from itertools import product
from uuid import uuid4

import pytest
from dataset_client import call, named, report
from lineage_client import BATCH, NDJSON, event, get, send

from service.catalog import queries, run_search
from service.catalog.run_parts import PARTS
from service.domain.registers import MAX_FACET_NAME
from service.http.handlers import runs as run_handlers

BASE = "/api/v1"
OF_JOB = f"{BASE}/namespaces/ns/jobs/job/runs"
KIB = 1024
MANY = 100
BIG = 500 * KIB

SELECTIONS = (
    ({"withoutFacets": "true"}, set()),
    ({"facet": ["a"]}, {"a"}),
    ({"facet": ["b", "nothing", "a"]}, {"a", "b"}),
    ({"withoutFacets": "false", "facet": ["c, d"]}, {"c, d"}),
)
FACETS = ({}, {"a": {}}, {"a": {"x": 1}, "b": {}}, {"b": {"y": [2]}, "c, d": {}, "e": {}})


@pytest.fixture
async def whole(client):
    """Runs with different facets, as the API shows them whole; some name datasets."""
    for minute, facets in enumerate(FACETS):
        assert (await send(client, event(at=f"2024-02-01T00:{minute:02}:00Z", run=uuid4(), **facets)))[0] == 201
    await report(client, minute=9, inputs=[named("in")])
    return (await get(client, f"{BASE}/runs"))["runs"]


def selected(run, names):
    """Return what a list shows of a whole run."""
    facets = {name: facet for name, facet in run["facets"].items() if name in names}
    omitted = len(run["facets"]) - len(facets)
    shown = run | {"facets": facets} | ({"facetsOmitted": omitted} if omitted else {})
    if run["inputDatasetVersions"]:
        shown |= {"inputDatasetVersions": [], "jobVersion": None, "datasetsOmitted": True}
    return shown


@pytest.mark.parametrize(("parameters", "names"), SELECTIONS, ids=["none", "one", "two", "comma"])
async def test_lists_have_the_facets_that_are_asked_for(client, whole, parameters, names):
    expected = [selected(run, names) for run in whole]
    assert (await get(client, f"{BASE}/runs", **parameters))["runs"] == expected
    of_job = [run for run in expected if run["job"]["name"] == "job"]
    assert len(of_job) == len(FACETS)
    for sort, order, limit in product(("start", "update"), ("asc", "desc"), (1, 2, 10)):
        found, cursor = [], "start"
        while cursor:
            page = await get(
                client, f"{BASE}/runs", sort=sort, order=order, limit=limit, cursor=cursor, count=3, **parameters
            )
            assert page["count"] == min(3, len(whole) - len(found))
            found, cursor = found + page["runs"], page["next"]
        assert found == (expected if order == "desc" else expected[::-1])
    for offset, limit in product(range(len(FACETS) + 1), range(len(FACETS) + 1)):
        page = await get(client, OF_JOB, offset=offset, limit=limit, **parameters)
        assert page == {"runs": of_job[offset : offset + limit], "totalCount": len(FACETS)}
    async with client.get(f"{BASE}/runs", params=parameters, headers={"Accept": NDJSON["Content-Type"]}) as answer:
        assert [json.loads(line) for line in (await answer.text()).splitlines()] == expected
    ids = [run["id"] for run in whole]
    async with client.post(f"{BASE}/runs/lookup", params=parameters, json={"ids": [*ids, "unknown"]}) as answer:
        assert await answer.json() == {"runs": {run["id"]: run for run in expected} | {"unknown": None}}


async def test_by_default_lists_are_whole(client, whole):
    assert [run["facets"] for run in reversed(whole)] == [*FACETS, {}]
    assert (await get(client, f"{BASE}/runs", withoutFacets="false"))["runs"] == whole


@pytest.mark.parametrize("method_and_path", [("GET", "/runs"), ("GET", OF_JOB[7:]), ("POST", "/runs/lookup")], ids=str)
@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("withoutFacets=yes", "withoutFacets must be true or false"),
        ("withoutFacets=", "withoutFacets must be true or false"),
        ("withoutFacets=true&withoutFacets=true", "more than once"),
        ("withoutFacet=true", "there is no parameter 'withoutFacet' here"),
        ("withoutFacets=true&facet=a", "give one of both"),
        ("facet=", "facet must be the name of a facet"),
        ("facet=a&facet=%00", "facet must be the name of a facet"),
        (f"facet={'x' * (MAX_FACET_NAME + 1)}", "facet must be the name of a facet"),
        ("facet=x&" * 101, "100 times at most"),
    ],
    ids=range(9),
)
@pytest.mark.common
async def test_other_values_are_refused(client, method_and_path, query, detail):
    method, path = method_and_path
    body = {"json": {"ids": []}} if method == "POST" else {}
    async with client.request(method, f"{BASE}{path}?{query}", **body) as answer:
        assert answer.status == 400
        assert detail in (await answer.json())["detail"]


async def test_a_job_whose_runs_have_large_facets_shows_a_hundred(client):
    for first in range(0, MANY, 20):
        body = "\n".join(event(run=uuid4(), big={"text": "x" * BIG}, small={"n": n}) for n in range(first, first + 20))
        assert (await send(client, body, BATCH, NDJSON))[0] == 204
    for path, more in ((OF_JOB, {}), (f"{BASE}/runs", {"sort": "start"})):
        assert len((await get(client, path, limit=MANY, **more))["runs"]) < 20
        page = await get(client, path, limit=MANY, withoutFacets="true", **more)
        assert len(page["runs"]) == MANY
        assert {json.dumps([run["facets"], run["facetsOmitted"]]) for run in page["runs"]} == {"[{}, 2]"}
        page = await get(client, path, limit=MANY, facet="small", **more)
        assert sorted(run["facets"]["small"]["n"] for run in page["runs"]) == [*range(MANY)]
    ids = [run["id"] for run in page["runs"]]
    _, _, answer = await call(client, "POST", f"{BASE}/runs/lookup?withoutFacets=true", {"ids": ids})
    assert (len(answer["runs"]), "omitted" in answer) == (MANY, False)


async def test_what_is_read_and_kept_for_a_page_is_bounded(client, monkeypatch):
    """Each run has a facet of 9 KiB, and what is kept of it 1 KiB: with pages of 20 KiB, two are read at once."""
    facets = {"big": {"text": "x" * 9 * KIB}, "kept": {"text": "x" * KIB}}
    body = "\n".join(event(at=f"2024-02-01T00:{n:02}:00Z", run=uuid4(), **facets) for n in range(40))
    assert (await send(client, body, BATCH, NDJSON))[0] == 204
    page_bytes = 20 * KIB
    for module in (queries, run_search, run_handlers):
        monkeypatch.setattr(module, "PAGE_BYTES", page_bytes)
    ids = [run["id"] for n in range(40) for run in (await get(client, OF_JOB, offset=n, limit=1))["runs"]]
    for parameters, most in (({"withoutFacets": "true"}, PARTS * 2 + 2), ({"facet": "kept"}, PARTS * 2 + 2)):
        found, cursor, offset = [], "start", 0
        while cursor:
            page = await get(client, f"{BASE}/runs", cursor=cursor, **parameters)
            assert 10 < len(page["runs"]) <= most
            found, cursor = found + [run["id"] for run in page["runs"]], page["next"]
            if len(found) > 30:
                break
        assert found == ids[: len(found)]
        while offset < 30:
            page = await get(client, OF_JOB, offset=offset, **parameters)
            assert page["totalCount"] == 40
            assert 10 < len(page["runs"]) <= most
            assert [run["id"] for run in page["runs"]] == ids[offset : offset + len(page["runs"])]
            offset += len(page["runs"])


async def test_runs_that_a_newer_program_wrote_are_read_from_the_ledger(client, db, whole):
    expected = [selected(run, {"a"}) for run in whole]
    await db.execute(r"update runfold.runs set registers = '\x6363'::bytea || substr(registers, 3)")
    found = await get(client, f"{BASE}/runs", facet="a", stale="true")
    assert found["runs"] == expected

"""What runs read and wrote is in every list of runs, or the list says that it is left out."""

import asyncio
import json

import pytest
from dataset_client import BASE, call, facets, named, report
from lineage_client import get

from service.http import runs_of_versions
from service.lineage import run_lineage

RUNS = 6
BOTH = ("inputDatasetVersions", "outputDatasetVersions")


@pytest.fixture
async def runs(client, db, monkeypatch):
    """Runs that each read and wrote a dataset; what two of them did fits into an answer. The newest comes first."""
    ids = [str(await report(client, minute=n, inputs=[named("in")], outputs=[named("out")])) for n in range(RUNS)]
    await get(client, f"{BASE}/datasets")  # it waits until all are projected
    size = await db.fetchval("select max(octet_length(registers)) from runfold.run_datasets")
    monkeypatch.setattr(run_lineage, "PAGE_BYTES", 2 * size)
    return ids[::-1]


def is_whole(run):
    return all(run[each] for each in BOTH) and run["jobVersion"] is not None and "datasetsOmitted" not in run


async def test_pages_end_where_what_runs_read_and_wrote_takes_too_much_space(client, runs):
    found, cursor = [], "start"
    while cursor:
        page = await get(client, f"{BASE}/runs", cursor=cursor)
        assert 0 < len(page["runs"]) < RUNS
        found, cursor = found + page["runs"], page["next"]
    assert [run["id"] for run in found] == runs
    assert all(map(is_whole, found))
    listed = []
    while len(listed) < RUNS:
        page = await get(client, f"{BASE}/namespaces/etl/jobs/load/runs", offset=len(listed))
        assert (page["totalCount"], 0 < len(page["runs"]) < RUNS) == (RUNS, True)
        listed += page["runs"]
    assert listed == found


async def test_lines_and_look_ups_have_all(client, runs):
    async with client.get(f"{BASE}/runs", headers={"Accept": "application/x-ndjson"}) as answer:
        lines = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert [line["id"] for line in lines] == runs
    assert all(map(is_whole, lines))
    _, _, answer = await call(client, "POST", f"{BASE}/runs/lookup", {"ids": runs})
    assert list(answer["runs"].values()) == lines


@pytest.mark.usefixtures("runs")
async def test_jobs_and_graphs_say_of_which_runs_they_leave_it_out(client):
    for number in range(RUNS):
        await report(client, minute=10 + number, outputs=[named("out")], job=f"job {number}")
    await get(client, f"{BASE}/datasets")
    jobs = (await get(client, f"{BASE}/jobs"))["jobs"]
    shown = [run for job in jobs for run in job["latestRuns"]]
    assert len(shown) == 2 * RUNS
    graph = (await get(client, f"{BASE}/lineage", nodeId="dataset:lake:out"))["graph"]
    latest = [node["data"]["latestRun"] for node in graph if node["type"] == "JOB"]
    assert len(latest) == RUNS + 1
    for listed in (shown, latest):
        left_out = [run for run in listed if "datasetsOmitted" in run]
        assert 0 < len(left_out) < len(listed)
        assert all(run["outputDatasetVersions"] for run in listed if run not in left_out)
        assert not any(run["outputDatasetVersions"] for run in left_out)


async def test_children_have_what_they_read_and_wrote(client):
    parent = await report(client, job="parent")
    facet = {"parent": {"run": {"runId": str(parent)}, "job": {"namespace": "etl", "name": "parent"}}}
    child = await report(client, minute=1, outputs=[named("out")], **facet)
    (shown,) = (await get(client, f"{BASE}/jobs/runs/{parent}/children"))["runs"]
    assert shown == await get(client, f"{BASE}/jobs/runs/{child}")
    assert shown["outputDatasetVersions"]


async def test_lists_of_versions_have_large_runs_without_their_facets_and_datasets(client):
    large = {"notes": {"text": "x" * 20_000}}
    run = await report(client, "START", outputs=[named("t", **facets(("a",)))], **large)
    await report(client, "COMPLETE", 1, outputs=[named("t", **facets(("a",), ("b",)))], run=run)
    small = await report(client, minute=2, outputs=[named("t", **facets(("c",)))])
    path = f"{BASE}/namespaces/lake/datasets/t/versions"
    whole = await get(client, f"{BASE}/jobs/runs/{run}")
    newest, *versions = (await get(client, path))["versions"]
    assert newest["createdByRun"] == await get(client, f"{BASE}/jobs/runs/{small}")
    assert len(versions) == 2
    for version in versions:
        shown = version["createdByRun"]
        left_out = {"facets": {}, "facetsOmitted": 1, "datasetsOmitted": True} | {key: [] for key in BOTH}
        assert shown == whole | left_out
        assert (await get(client, f"{path}/{version['version']}"))["createdByRun"] == whole
    (of_job,) = [
        each["latestRun"] for each in (await get(client, f"{BASE}/namespaces/etl/jobs/load/versions"))["versions"]
    ]
    assert of_job["id"] == str(small)


async def test_a_list_of_versions_reads_runs_a_few_at_a_time(client, monkeypatch):
    monkeypatch.setattr(runs_of_versions, "_VERSIONS_AT_ONCE", 2)
    made = [str(await report(client, minute=n, outputs=[named("t", **facets((f"f{n}",)))])) for n in range(5)]
    path = f"{BASE}/namespaces/lake/datasets/t/versions"
    versions = (await get(client, path))["versions"]
    assert [each["createdByRun"]["id"] for each in versions] == made[::-1]
    monkeypatch.setattr(runs_of_versions, "MAX_LIST_BYTES", 4_000)
    fewer = await get(client, path)
    assert (0 < len(fewer["versions"]) < 5, fewer["totalCount"]) == (True, 5)
    assert fewer["versions"] == versions[: len(fewer["versions"])]


async def test_the_answer_to_a_command_has_what_the_run_read_and_wrote(client):
    run = await report(client, "START", inputs=[named("in")], outputs=[named("out")])
    await get(client, f"{BASE}/datasets")  # it waits until all is projected
    answers = [
        await call(client, "POST", f"{BASE}/jobs/runs/{run}/{verb}?at=2024-02-01T00:01:00Z")
        for verb in ("start", "complete", "complete", "fail")
    ]
    assert [status for status, _, _ in answers] == [200, 200, 200, 409]
    views = [body.get("run", body) for _, _, body in answers]
    assert all(map(is_whole, views))
    assert views[1] == views[2] == views[3] == await get(client, f"{BASE}/jobs/runs/{run}")
    other = await report(client, "START", minute=3, inputs=[named("in")], outputs=[named("out")])
    await get(client, f"{BASE}/datasets")
    created = await call(client, "POST", f"{BASE}/namespaces/etl/jobs/load/runs", {"id": str(other)})
    assert (created[0], is_whole(created[2])) == (201, True)
    assert created[2] == await get(client, f"{BASE}/jobs/runs/{other}")


async def test_the_answer_to_a_command_waits_for_no_projection(client, connections):
    async with connections.connection() as held, held.transaction():
        await held.execute("select from runfold.lineage_cursor for update")
        run = await report(client, "START", inputs=[named("in")], outputs=[named("out")])
        async with asyncio.timeout(0.9):  # a read of the run waits for a second
            _, _, view = await call(client, "POST", f"{BASE}/jobs/runs/{run}/complete?at=2024-02-01T00:01:00Z")
    assert (view["state"], view["datasetsOmitted"], view["outputDatasetVersions"]) == ("COMPLETED", True, [])
    assert is_whole(await get(client, f"{BASE}/jobs/runs/{run}"))

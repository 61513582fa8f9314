"""GET /runlineage: which run wrote what another one read, whatever the order in which that was reported."""

from itertools import pairwise

from graphs import ask, report
from lineage_events import run_event

RUNS = [f"cccccccc-0000-4000-8000-0000000000{number:02}" for number in range(10)]
WRITE_1, READ_1, WRITE_2, READ_2, LAST, ALONE = RUNS[:6]


def events():
    return [
        run_event("write", ["source"], ["t"], at=10, run=WRITE_1, kind="START"),
        run_event("write", at=12, run=WRITE_1),
        run_event("read", ["t"], ["out"], at=15, run=READ_1),
        run_event("write", ["source"], ["t"], at=20, run=WRITE_2),
        run_event("read", ["t"], ["out"], at=25, run=READ_2),
        run_event("last", ["out"], at=30, run=LAST),
        run_event("alone", at=30, run=ALONE),
    ]


async def ids(client, way, run, **parameters):
    return [each["run"]["id"] for each in (await ask(client, f"runlineage/{way}", run, **parameters))["runs"]]


async def test_runs_are_followed_in_both_directions_by_the_times_of_events(client):
    shuffled = events()
    shuffled.reverse()
    await report(client, *shuffled)
    assert await ids(client, "upstream", LAST) == [LAST, READ_2, WRITE_2]
    assert await ids(client, "upstream", LAST, depth=1) == [LAST, READ_2]
    assert await ids(client, "upstream", LAST, depth=0) == [LAST]
    assert await ids(client, "upstream", READ_1) == [READ_1, WRITE_1]
    assert await ids(client, "downstream", WRITE_1) == [WRITE_1, READ_1]
    assert await ids(client, "downstream", WRITE_2) == [WRITE_2, READ_2, LAST]
    assert await ids(client, "downstream", LAST) == [LAST]
    assert await ids(client, "upstream", ALONE) == [ALONE]
    (first, *_) = (await ask(client, "runlineage/upstream", READ_1))["runs"]
    assert (first["job"]["name"], first["run"]["status"], first["run"]["end"]) == (
        "read",
        "COMPLETED",
        "2024-01-01T12:15:00Z",
    )
    (read,) = first["inputs"]
    assert (read["name"], read["producedByRunId"]) == ("t", WRITE_1)
    async with client.get(f"/api/v1/jobs/runs/{READ_1}") as answer:
        view = await answer.json()
    assert view["jobVersion"]["version"] == first["job"]["version"]
    assert view["inputDatasetVersions"][0]["datasetVersionId"]["version"] == read["version"]
    cut = await ask(client, "runlineage/upstream", LAST, limit=2)
    assert ([each["run"]["id"] for each in cut["runs"]], cut["truncatedAt"]) == ([LAST, READ_2], [READ_2])


async def test_a_run_that_reads_what_it_writes_ends_and_unknown_runs_are_not_found(client):
    loop = [run_event("loop", ["t"], ["t"], at=number, run=run) for number, run in enumerate(RUNS[:4])]
    await report(client, *loop)
    assert await ids(client, "upstream", RUNS[3]) == RUNS[3::-1]
    assert await ids(client, "downstream", RUNS[0]) == RUNS[:4]
    for earlier, later in pairwise(RUNS[:4]):
        assert await ids(client, "downstream", earlier, depth=1) == [earlier, later]
    await ask(client, "runlineage/upstream", RUNS[9], status=404)
    await ask(client, "runlineage/downstream", "x", status=404)
    async with client.get("/api/v1/runlineage/upstream") as answer:
        assert answer.status == 400

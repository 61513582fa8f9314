"""The graph as it was known, and as it stood: of the latest run of each job at that moment."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from graphs import ask, edges, report
from hypothesis import given
from hypothesis import strategies as st
from lineage_events import dataset, run_event

from service.domain.event import DatasetName
from service.domain.run_datasets import Moment, RunDataset, RunDatasets
from service.lineage.past_graph import PastMoment, latest_run

JOB, RAW, OTHER, OUT = "job:etl:load", "dataset:ds:raw", "dataset:ds:other", "dataset:ds:out"
RUNS = [f"cccccccc-0000-4000-8000-00000000000{number}" for number in range(3)]
AT = "2024-01-01T12:{:02}:00Z"


async def recorded(db):
    """Return the time at which the last event was recorded."""
    return (await db.fetchval("select max(recorded_at) from runfold.events")).isoformat()


async def test_edges_and_fields_are_those_of_the_moment(client, db):
    old, new = ({"fields": [{"name": name}]} for name in ("old", "new"))
    await report(client, run_event("load", ["raw"], [dataset("out", schema=old)], at=10, run=RUNS[0]))
    first = await recorded(db)
    await report(client, run_event("load", ["other"], [dataset("out", schema=new)], at=30, run=RUNS[1]))
    second = await recorded(db)
    await report(client, run_event("load", ["raw"], ["out"], at=20, run=RUNS[2]))  # late: it was before the second

    of_raw, of_other = ({name: [JOB], JOB: [OUT], OUT: []} for name in (RAW, OTHER))
    assert await edges(client, JOB) == await edges(client, JOB, knownAt=second) == of_other
    assert await edges(client, JOB, knownAt=first) == await edges(client, JOB, validAt=AT.format(15)) == of_raw
    assert await edges(client, JOB, validAt=AT.format(5)) == {JOB: []}
    assert await edges(client, RAW, knownAt=second) == {RAW: []}
    assert await edges(client, RAW, validAt=AT.format(25)) == of_raw
    for moment, run, fields in (
        ({"knownAt": first}, RUNS[0], ["old"]),
        ({"validAt": AT.format(25)}, RUNS[2], ["old"]),
        ({"validAt": AT.format(25), "knownAt": second}, RUNS[0], ["old"]),
        ({"validAt": AT.format(35)}, RUNS[1], ["new"]),
    ):
        answer = await ask(client, "lineage", JOB, **moment)
        job, out = ({node["id"]: node for node in answer["graph"]}[id_]["data"] for id_ in (JOB, OUT))
        assert (job["currentRunUuid"], job["latestRun"]) == (run, None), moment
        assert [field["name"] for field in out["fields"]] == fields, moment
        assert answer["asOf"]["position"] > 0


async def test_a_deletion_hides_nothing_before_it_and_a_limit_cuts(client, db):
    await report(client, run_event("load", ["raw"], ["out"], at=1), run_event("next", ["out"], ["end"], at=2))
    before = await recorded(db)
    async with client.delete("/api/v1/namespaces/etl/jobs/next") as answer:
        assert answer.status == 200
    assert "job:etl:next" in await edges(client, JOB, knownAt=before)
    assert "job:etl:next" not in await edges(client, JOB, validAt=AT.format(59))
    for limit in (1, 2, 3, 4):
        answer = await ask(client, "lineage", JOB, knownAt=before, limit=limit)
        assert (len(answer["graph"]), answer["truncated"]) == (limit, True)
    assert "truncated" not in await ask(client, "lineage", JOB, knownAt=before, limit=5)


START = datetime(2024, 1, 1, tzinfo=UTC)
moments = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=4)
runs = st.dictionaries(st.integers(1, 4), st.dictionaries(st.sampled_from("abc"), moments, min_size=1), min_size=1)


@given(runs, st.integers(-1, 10), st.integers(0, 10))
def test_the_latest_run_is_the_one_that_the_events_up_to_the_moment_tell(runs, at, position):
    told = [
        (run, name, time, place)
        for run, datasets in runs.items()
        for name, events in datasets.items()
        for time, place in events
        if time <= at and place <= position
    ]
    began = {run: min(time for each, _, time, _ in told if each == run) for run, *_ in told}
    found = latest_run(
        [
            (
                UUID(int=run),
                True,
                RunDatasets(
                    9,
                    1,
                    START,
                    {
                        DatasetName("ds", name): RunDataset(
                            tuple(Moment(START + timedelta(hours=time), place) for time, place in events)
                        )
                        for name, events in datasets.items()
                    },
                ),
            )
            for run, datasets in runs.items()
        ],
        PastMoment(position, None, START + timedelta(hours=at)),
    )
    if not told:
        assert found is None
        return
    latest = max(began, key=lambda run: (began[run], run))
    assert found is not None
    assert found.id == UUID(int=latest)
    assert found.datasets.started_at == START + timedelta(hours=began[latest])
    assert {name.name for name in found.datasets.inputs} == {name for run, name, *_ in told if run == latest}


@pytest.mark.parametrize("parameter", ["edges", "withParents"])
async def test_what_is_only_of_the_present_is_refused(client, parameter):
    value = {"edges": "all", "withParents": "true"}[parameter]
    await ask(client, "lineage", JOB, status=400, knownAt=AT.format(1), **{parameter: value})

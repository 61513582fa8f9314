"""OpenLineage over HTTP: single events, and the errors of invalid ones."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from lineage_client import BATCH, EVENTS, GZIP, JSON, NDJSON, RUN, SCHEMA, bodies, event, get, head, send


async def test_an_event_is_answered_201_with_nothing_and_kept_to_the_byte(client, db):
    sent = json.dumps(json.loads(event(x={"big": 1})), indent=3).replace('"big": 1', '"big": 1e400, "n":\t' + "9" * 50)
    assert await send(client, f"\n {sent}\n") == (201, b"")
    assert (await bodies(db))[-1] == sent
    assert (await get(client, f"/api/v1/jobs/runs/{RUN}"))["state"] == "RUNNING"


async def test_gzip_is_read_in_one_member_or_several(client, db):
    first, second = event().encode(), event("COMPLETE").encode()
    assert await send(client, gzip.compress(first), headers=JSON | GZIP) == (201, b"")
    halves = gzip.compress(second[:50]) + gzip.compress(second[50:])
    assert await send(client, halves, headers=JSON | GZIP) == (201, b"")
    assert (await bodies(db))[-2:] == [first.decode(), second.decode()]


async def test_an_event_delivered_five_times_is_recorded_once_by_whichever_way_it_comes(client, db):
    sent = event()
    await send(client, sent)
    before = await head(db)
    assert (await send(client, sent))[0] == 201
    assert (await send(client, f"[{sent}, {sent}]", BATCH))[0] == 204
    assert (await send(client, f"{sent}\n  {sent}\r\n", BATCH, NDJSON))[0] == 204
    assert await head(db) == before


async def test_jobs_namespaces_and_runs_come_into_being_with_an_event(client):
    body = json.loads(event(nominalTime={"nominalStartTime": "2020-01-01T00:00:00Z"}))
    body["job"]["facets"] = {"documentation": {"description": "doc"}, "sql": {"query": "select 1"}}
    body["inputs"] = [{"namespace": "db", "name": "in", "facets": {}}]
    body["outputs"] = [{"namespace": "db", "name": "out"}]
    assert (await send(client, json.dumps(body)))[0] == 201
    job = await get(client, "/api/v1/namespaces/ns/jobs/job")
    assert (job["facets"], job["description"]) == (body["job"]["facets"], "doc")
    assert job["inputs"] == [{"namespace": "db", "name": "in"}]
    assert job["outputs"] == [{"namespace": "db", "name": "out"}]
    assert job["latestRun"]["nominalStartTime"] == "2020-01-01T00:00:00Z"
    facets = await get(client, f"/api/v1/jobs/runs/{RUN}/facets", type="run")
    assert facets == {"runId": RUN, "facets": body["run"]["facets"]}
    names = [one["name"] for one in (await get(client, "/api/v1/namespaces"))["namespaces"]]
    assert {"ns", "db"} <= set(names)


async def test_nominal_times_are_plans_and_may_lie_years_ahead(client):
    plan = {"nominalStartTime": "2999-01-01T00:00:00Z", "nominalEndTime": "2999-01-02T00:00:00Z"}
    assert (await send(client, event(nominalTime=plan)))[0] == 201
    from_event = await get(client, f"/api/v1/jobs/runs/{RUN}")
    created = await client.post("/api/v1/namespaces/ns/jobs/job/runs", json=plan)
    assert created.status == 201
    for run in (from_event, await created.json()):
        assert {name: run[name] for name in plan} == plan
    # What has happened is another thing.
    late = {"at": "2999-01-01T00:00:00Z"}
    assert (await client.post(f"/api/v1/jobs/runs/{RUN}/complete", params=late)).status == 422


async def test_job_and_dataset_events_are_recorded(client, db):
    body = json.loads(event())
    del body["run"], body["eventType"]
    body |= {"schemaURL": SCHEMA + "JobEvent", "job": {"namespace": "ns", "name": "static", "facets": {"sql": {}}}}
    assert (await send(client, json.dumps(body)))[0] == 201
    assert (await get(client, "/api/v1/namespaces/ns/jobs/static"))["facets"] == {"sql": {}}
    dataset = {"namespace": "db", "name": "t", "facets": {}}
    body = {"eventTime": body["eventTime"], "producer": "p", "schemaURL": SCHEMA + "DatasetEvent", "dataset": dataset}
    assert (await send(client, json.dumps(body)))[0] == 201
    row = await db.fetchrow("select subject, namespace, job from runfold.events order by position desc limit 1")
    assert tuple(row) == ("dataset", "db", None)
    assert json.loads((await bodies(db))[-1]) == body
    assert (await get(client, EVENTS, namespace="db"))["events"] == []  # it lists events of runs


async def test_the_children_of_a_run_can_be_followed_before_it_was_heard_of_itself(client):
    parent = str(uuid4())
    facet = {"run": {"runId": parent}, "job": {"namespace": "ns", "name": "dag"}}
    children = [uuid4() for _ in range(3)]
    for minute, child in enumerate(children):
        await send(client, event(run=child, at=f"2024-02-01T00:0{minute}:00Z", parent=facet))
    path = f"/api/v1/jobs/runs/{parent}/children"
    found = await get(client, path, limit=2)
    assert [run["id"] for run in found["runs"]] == [str(children[2]), str(children[1])]
    assert found["totalCount"] == 3
    assert (await get(client, f"/api/v1/jobs/runs/{children[0]}/children")) == {"runs": [], "totalCount": 0}
    assert (await client.get(f"/api/v1/jobs/runs/{uuid4()}/children")).status == 404


async def test_a_run_ends_whatever_else_is_wrong_with_its_event_and_a_metric_counts_it(client, db):
    await send(client, event())
    end = json.loads(event("complete"))
    end["outputs"] = [None, {"namespace": "s3://b", "name": ""}, {"namespace": "db", "name": "out"}]
    end["run"]["facets"], end["inputs"] = [], {}
    text = json.dumps(end)
    assert (await send(client, text))[0] == 201
    assert (await bodies(db))[-1] == text
    assert (await get(client, f"/api/v1/jobs/runs/{RUN}"))["state"] == "COMPLETED"
    assert (await get(client, "/api/v1/namespaces/ns/jobs/job"))["outputs"] == [{"namespace": "db", "name": "out"}]
    other = event("FAIL", run=uuid4()).replace('"producer"', '"outputs":[{"namespace":"","name":"x"}],"producer"')
    assert (await send(client, f"[{other}]", BATCH))[0] == 204
    metrics = await (await client.get("/metrics")).text()
    assert 'runfold_lineage_warnings_total{part="dataset"} 3.0' in metrics
    assert 'runfold_lineage_warnings_total{part="field"} 2.0' in metrics
    assert 'runfold_lineage_warnings_total{part="facet"} 0.0' in metrics
    bad = [
        {"parent": 5},
        {"parentRun": {"run": {"runId": ""}}},
        {"nominalTime": {"nominalStartTime": "2024-01-01T00:00:00Z", "nominalEndTime": "soon"}},
        {"nominalTime": []},
    ]
    good = [
        {"parent": None, "nominalTime": None},
        {"parent": {"_deleted": True}, "nominalTime": {"_deleted": True}},
        {"parent": 5, "parentRun": {"run": {"runId": "r"}}},
        {"nominalTime": {"nominalStartTime": "2024-01-01T00:00:00Z", "nominalEndTime": None}},
    ]
    for facets in (*bad, *good):
        end["run"] = {"runId": str(uuid4()), "facets": facets}
        assert (await send(client, json.dumps(end | {"inputs": [], "outputs": []})))[0] == 201
    metrics = await (await client.get("/metrics")).text()
    assert f'runfold_lineage_warnings_total{{part="facet"}} {len(bad)}.0' in metrics


async def test_a_parent_in_the_facet_of_prefect_has_children(client):
    parent = str(uuid4())
    facet = {"run": {"runId": parent}, "job": {"namespace": "ns", "name": "flow"}}
    await send(client, event(parentRun=facet))
    assert [run["id"] for run in (await get(client, f"/api/v1/jobs/runs/{parent}/children"))["runs"]] == [RUN]


async def test_lists_that_hold_the_deepest_event_can_be_read_by_clients(client):
    await send(client, deep(497))
    for path in ("/api/v1/jobs", EVENTS, f"/api/v1/jobs/runs/{RUN}", "/api/v1/namespaces/ns/jobs/job/runs"):
        text = await (await client.get(path)).text()
        depth = deepest = 0
        for character in text:
            depth += (character in "[{") - (character in "]}")
            deepest = max(deepest, depth)
        assert 490 < deepest < 1_000


@pytest.mark.parametrize(
    ("facet", "type_"),
    [
        ({"processingType": "STREAMING", "integration": "SPARK"}, "STREAM"),
        ({"processingType": "BATCH", "integration": "STREAMING"}, "BATCH"),
        ({"integration": "STREAMING"}, "BATCH"),
        ({"processingType": ["STREAMING"]}, "BATCH"),
        (["STREAMING"], "BATCH"),
    ],
)
async def test_a_job_streams_where_the_processing_type_says_so(client, facet, type_):
    sent = json.loads(event())
    sent["job"]["facets"] = {"jobType": facet}
    await send(client, json.dumps(sent))
    assert (await get(client, "/api/v1/namespaces/ns/jobs/job"))["type"] == type_


async def test_every_wrong_field_is_named_in_a_422(client, db):
    before = await head(db)
    status, body = await send(client, '{"eventTime": "soon", "run": {}, "job": {"name": 5}}')
    assert status == 422
    assert [one["field"] for one in json.loads(body)["errors"]] == [
        "eventTime",
        "producer",
        "run.runId",
        "job.namespace",
        "job.name",
    ]
    assert await head(db) == before


def deep(levels: int) -> str:
    return event(f="QQ").replace('"QQ"', '{"a":' * levels + "1" + "}" * levels)


AHEAD = (datetime.now(UTC) + timedelta(days=9 * 365)).isoformat()
BAD = {
    "nothing": (b"", JSON, 400),
    "half a body": (b"{", JSON, 400),
    "an array": (f"[{event()}]".encode(), JSON, 400),
    "not UTF-8": (event().replace("job", "j\xff").encode("latin-1"), JSON, 400),
    "half a surrogate pair in a name": (event().replace('"job"}', '"j\\ud800b"}').encode(), JSON, 422),
    "NUL in a name": (event().replace('"job"}', '"j\\u0000b"}').encode(), JSON, 422),
    "an unknown event type": (event().replace("START", "WAT").encode(), JSON, 422),
    "nine years ahead": (event(at=AHEAD).encode(), JSON, 422),
    "no time": (event(at="nonsense").encode(), JSON, 422),
    "a long name": (event(job="n" * 1025).encode(), JSON, 422),
    "a million levels": (deep(1_000_000).encode(), JSON, 400),
    "one level more than is read": (deep(498).encode(), JSON, 400),
    "a job event with a run": (event().replace("RunEvent", "JobEvent").encode(), JSON, 422),
    "a zone without an offset": (event(at="2024-02-01T00:00:00[Europe/Berlin]").encode(), JSON, 422),
    "20 MB": (event(big="x" * 20_000_000).encode(), JSON, 413),
    "truncated gzip": (gzip.compress(event().encode())[:-9], JSON | GZIP, 400),
    "no gzip": (b"no gzip at all", JSON | GZIP, 400),
    "zeros for gzip": (b"\0" * 50, JSON | GZIP, 400),
    "a gzip bomb": (gzip.compress(b" " * 50_000_000), JSON | GZIP, 413),
    "an unknown encoding": (event().encode(), JSON | {"Content-Encoding": "br"}, 415),
    "not JSON by its type": (event().encode(), {"Content-Type": "text/html"}, 415),
}


@pytest.mark.common
@pytest.mark.parametrize(("body", "headers", "status"), BAD.values(), ids=BAD)
async def test_bad_input_is_refused_and_nothing_of_it_is_recorded(client, db, body, headers, status):
    before = await head(db)
    answered, problem = await send(client, body, headers=headers)
    assert answered == status, problem
    assert json.loads(problem)["status"] == status
    assert await head(db) == before


def with_facet(raw: str) -> str:
    return event(f="QQ").replace('"QQ"', raw)


ODD = {
    "half a surrogate pair and NUL": with_facet('"\\ud800\\u0000"'),
    "as many arrays as an event may have": with_facet("[" * 497 + "]" * 497),
    "as many objects": deep(497),
    "a number beyond 64 bits": with_facet("123456789012345678901234567890"),
    "a number beyond doubles": with_facet('{"a":1e400}'),
    "a run id that is no UUID": event(run="my-run-1"),
    "all of Unicode": with_facet('"\N{SNOWMAN}\U0001f600"'),
    "4 MB": event(f="x" * 4_000_000),
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
async def test_odd_input_is_recorded_to_the_byte_and_given_back_everywhere(client, db, body):
    assert (await send(client, body))[0] == 201
    assert (await bodies(db))[-1] == body
    async with client.get(EVENTS) as response:
        assert await response.text() == f'{{"totalCount":1,"events":[{body}]}}\n'
    run = "9eaf075a-7d72-3143-8040-9cf47f401b86" if "my-run-1" in body else RUN
    async with client.get(f"/api/v1/jobs/runs/{run}/facets", params={"type": "run"}) as response:
        assert response.status == 200
        facets = body[body.index('"facets": ') + len('"facets": ') : body.index('}, "job"')]
        assert (await response.text()).replace('{"f":', '{"f": ') == f'{{"runId":"{run}","facets":{facets}}}\n'
    async with client.get("/api/v1/namespaces/ns/jobs/job") as response:
        assert response.status == 200
        assert f'"latestRun":{{"id":"{run}"' in await response.text()

"""OpenLineage over HTTP: single events, batches, streams, and what is answered to all that is wrong with them."""

import asyncio
import gzip
import io
import json
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp.test_utils import TestClient
from conftest import wait_until
from hypothesis import given, settings
from hypothesis import strategies as st

from service import timestamps
from service.app import build_app
from service.settings import Settings

PEER = Path(__file__).parents[1] / "data" / "peer"
RUN = "5bf5d05f-86b6-4d05-8e1d-10ee667e37ba"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
GZIP = {"Content-Encoding": "gzip"}
LINEAGE = "/api/v1/lineage"
BATCH = "/api/v1/lineage/batch"
EVENTS = "/api/v1/events/lineage"


def event(event_type="START", at="2024-02-01T00:00:00Z", run=RUN, job="job", namespace="ns", **facets) -> str:
    return json.dumps(
        {
            "eventType": event_type,
            "eventTime": at,
            "run": {"runId": str(run), "facets": facets},
            "job": {"namespace": namespace, "name": job},
            "producer": "https://example.com",
            "schemaURL": SCHEMA + "RunEvent",
        }
    )


def many(count: int) -> list[str]:
    return [event(run=uuid4()) for _ in range(count)]


async def send(client, body, path=LINEAGE, headers=JSON):
    data = io.BytesIO(body.encode() if isinstance(body, str) else body) if isinstance(body, str | bytes) else body
    async with client.post(path, data=data, headers=headers) as response:
        return response.status, await response.read()


async def get(client, path, **parameters):
    async with client.get(path, params=parameters) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def head(db) -> int:
    return await db.fetchval("select position from runfold.ledger_head")


async def bodies(db) -> list[str]:
    return [row[0] for row in await db.fetch("select body::text from runfold.payloads order by position")]


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
    assert job["facets"] == body["job"]["facets"]
    assert job["inputs"] == [{"namespace": "db", "name": "in"}]
    assert job["outputs"] == [{"namespace": "db", "name": "out"}]
    assert job["latestRun"]["nominalStartTime"] == "2020-01-01T00:00:00Z"
    facets = await get(client, f"/api/v1/jobs/runs/{RUN}/facets", type="run")
    assert facets == {"runId": RUN, "facets": body["run"]["facets"]}
    names = [one["name"] for one in (await get(client, "/api/v1/namespaces"))["namespaces"]]
    assert "ns" in names
    assert "db" not in names


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
    assert (await get(client, EVENTS, namespace="db"))["events"] == [body]


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
    "an event type nobody knows": (event().replace("START", "WAT").encode(), JSON, 422),
    "nine years ahead": (event(at=AHEAD).encode(), JSON, 422),
    "no time": (event(at="nonsense").encode(), JSON, 422),
    "a long name": (event(job="n" * 1025).encode(), JSON, 422),
    "a million levels": (deep(1_000_000).encode(), JSON, 400),
    "20 MB": (event(big="x" * 20_000_000).encode(), JSON, 413),
    "truncated gzip": (gzip.compress(event().encode())[:-9], JSON | GZIP, 400),
    "no gzip": (b"no gzip at all", JSON | GZIP, 400),
    "zeros for gzip": (b"\0" * 50, JSON | GZIP, 400),
    "a gzip bomb": (gzip.compress(b" " * 50_000_000), JSON | GZIP, 413),
    "an unknown encoding": (event().encode(), JSON | {"Content-Encoding": "br"}, 415),
    "not JSON by its type": (event().encode(), {"Content-Type": "text/html"}, 415),
}


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
    "a thousand arrays": with_facet("[" * 1000 + "]" * 1000),
    "a thousand objects": deep(1000),
    "a number beyond 64 bits": with_facet("123456789012345678901234567890"),
    "a number beyond doubles": with_facet('{"a":1e400}'),
    "a run id that is no UUID": event(run="my-run-1"),
    "all of Unicode": with_facet('"\N{SNOWMAN}\U0001f600"'),
    "5 MB": event(f="x" * 5_000_000),
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
async def test_odd_input_is_recorded_to_the_byte_and_given_back_everywhere(client, db, body):
    assert (await send(client, body))[0] == 201
    assert (await bodies(db))[-1] == body
    async with client.get(EVENTS) as response:
        assert await response.text() == f'{{"totalCount":1,"events":[{body}]}}'
    run = "9eaf075a-7d72-3143-8040-9cf47f401b86" if "my-run-1" in body else RUN
    async with client.get(f"/api/v1/jobs/runs/{run}/facets", params={"type": "run"}) as response:
        assert response.status == 200
        facets = body[body.index('"facets": ') + len('"facets": ') : body.index('}, "job"')]
        assert (await response.text()).replace('{"f":', '{"f": ') == f'{{"runId":"{run}","facets":{facets}}}'
    async with client.get("/api/v1/namespaces/ns/jobs/job") as response:
        assert response.status == 200
        assert f'"latestRun":{{"id":"{run}"' in await response.text()


async def test_a_batch_that_was_recorded_whole_is_answered_204(client, db):
    assert await send(client, f"[{','.join(many(1200))}]", BATCH) == (204, b"")
    assert await send(client, "[]", BATCH) == (204, b"")
    assert await send(client, b"", BATCH, NDJSON) == (204, b"")
    assert await db.fetchval("select count(*) from runfold.events where source = 'openlineage'") == 1200


async def test_a_batch_says_which_events_were_not_recorded_and_records_the_others(client, db):
    good = many(3)
    status, body = await send(client, f'[{good[0]}, 5, {good[1]}, {{"eventTime":"x"}}, {good[2]}]', BATCH)
    assert status == 200
    told = json.loads(body)
    assert told["status"] == "partial_success"
    assert told["summary"] == {"received": 5, "successful": 3, "failed": 2, "retriable": 0, "non_retriable": 2}
    assert [(one["index"], one["retriable"]) for one in told["failed_events"]] == [(1, False), (3, False)]
    assert "producer" in told["failed_events"][1]["reason"]
    assert (await bodies(db))[-3:] == good


async def test_of_many_failures_the_first_thousand_are_told_and_all_are_counted(client):
    _, body = await send(client, "[" + ",".join(["{}"] * 3000) + "]", BATCH)
    told = json.loads(body)
    assert told["summary"]["failed"] == 3000
    assert [one["index"] for one in told["failed_events"]] == list(range(1000))


@pytest.mark.parametrize("body", [b"", b"{}", b"[{}", b"5", b"[1,]", b"[\xff\\]", b"[" * 5000])
async def test_what_is_no_array_is_no_batch(client, body):
    assert (await send(client, body, BATCH))[0] == 400


async def test_lines_are_told_by_their_number_and_blank_ones_passed_over(client, db):
    good = many(3)
    body = f"{good[0]}\n\n  \r\n{{broken\n{good[1]}\r\n\xe9\n{good[2]}".encode("latin-1")
    status, answer = await send(client, body, BATCH, NDJSON)
    told = json.loads(answer)
    assert status == 200
    assert [(one["index"], one["line"]) for one in told["failed_events"]] == [(1, 4), (3, 6)]
    assert told["summary"]["received"] == 5
    assert (await bodies(db))[-3:] == good


async def test_a_line_of_100_mb_is_refused_and_its_neighbours_are_recorded(client, db):
    good = many(2)

    async def lines():
        yield good[0].encode() + b"\n"
        for _ in range(100):
            yield b"x" * 1_000_000
        yield b"\n" + good[1].encode()

    status, answer = await send(client, lines(), BATCH, NDJSON)
    assert status == 200
    assert [one["line"] for one in json.loads(answer)["failed_events"]] == [2]
    assert (await bodies(db))[-2:] == good


async def test_a_stream_may_be_gzip_and_a_bomb_is_not_unpacked(client):
    good = many(2000)
    body = gzip.compress("\n".join(good).encode())
    assert (await send(client, body, BATCH, NDJSON | GZIP))[0] == 204
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b"\n" * 10_000_000) for _ in range(30)) + packer.flush()
    status, answer = await send(client, gzip.compress(f"{event()}\n".encode()) + bomb, BATCH, NDJSON | GZIP)
    assert status == 413
    assert json.loads(answer)["summary"] == summary(successful=1)


def summary(*, successful: int, failed: int = 0) -> dict[str, int]:
    received = successful + failed
    return {
        "received": received,
        "successful": successful,
        "failed": failed,
        "retriable": 0,
        "non_retriable": failed,
    }


async def test_a_stream_that_breaks_off_leaves_what_was_complete_and_no_half_event(client, db):
    good = many(5)
    body = gzip.compress("\n".join(["{}", *good]).encode(), 0)
    status, answer = await send(client, body[:-400], BATCH, NDJSON | GZIP)
    assert status == 400
    problem = json.loads(answer)
    recorded = [one for one in await bodies(db) if "example.com" in one]
    assert problem["summary"] == summary(successful=len(recorded), failed=1)
    assert [(one["index"], one["line"]) for one in problem["failed_events"]] == [(0, 1)]
    assert f"{len(recorded)} are recorded" in problem["message"]
    assert len(recorded) >= 3
    assert recorded == good[: len(recorded)]
    assert (await send(client, body, BATCH, NDJSON | GZIP))[0] == 200
    assert await db.fetchval("select count(*) from runfold.events where source = 'openlineage'") == 5


async def test_an_array_that_breaks_off_says_that_nothing_of_it_is_recorded(client, db):
    before = await head(db)
    status, answer = await send(client, f"[{event()}, {event('COMPLETE')}", BATCH)
    assert (status, json.loads(answer)["summary"]) == (400, summary(successful=0))
    assert await head(db) == before


async def holds(db, count: int) -> bool:
    return await recorded_events(db) >= count


async def recorded_events(db) -> int:
    return await db.fetchval("select count(*) from runfold.events where source = 'openlineage'")


async def test_a_connection_cut_in_mid_stream_leaves_what_was_complete_and_no_half_event(client, db):
    good = many(700)
    whole = "\n".join(good).encode()
    cut = len("\n".join(good[:600])) + 100
    _, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(
        b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n"
        % (BATCH.encode(), len(whole))
    )
    writer.write(whole[:cut])
    # A stream that pauses is not kept waiting: what came is recorded before it goes on.
    await wait_until(lambda: holds(db, 600), "600 events are recorded")
    writer.transport.abort()
    assert {one for one in await bodies(db) if "example.com" in one} == set(good[:600])
    assert (await send(client, whole, BATCH, NDJSON))[0] == 204
    assert await recorded_events(db) == 700


async def test_events_are_listed_as_sent_by_their_own_time(client):
    times = ["2024-02-01T00:00:02Z", "2024-02-01T02:00:00+02:00", "2024-01-31T23:59:59.5Z", "2024-02-01T00:00:02Z"]
    sent = [event(at=at, run=uuid4()) for at in times]
    for one in sent:
        await send(client, one)
    async with client.get(EVENTS, params={"sortDirection": "asc"}) as response:
        in_order = [sent[2], sent[1], sent[0], sent[3]]
        assert await response.text() == f'{{"totalCount":4,"events":[{",".join(in_order)}]}}'
    found = await get(client, EVENTS, limit=2, offset=1)
    assert found == {"totalCount": 4, "events": [json.loads(sent[0]), json.loads(sent[1])]}
    found = await get(client, EVENTS, after="2024-02-01T00:00:00Z", before="2024-02-01T00:00:02Z")
    assert found == {"totalCount": 1, "events": [json.loads(sent[1])]}
    assert await get(client, EVENTS, namespace="other") == {"totalCount": 0, "events": []}


@pytest.mark.parametrize(
    "query",
    [
        "before=zzz",
        "after=",
        "limit=-1",
        "limit=x",
        "offset=-1",
        "sortDirection=up",
        "namespace=%00",
        "before=2024-01-01",
    ],
)
async def test_a_bad_parameter_is_400(client, query):
    assert (await client.get(f"{EVENTS}?{query}")).status == 400


async def test_a_list_of_many_large_events_is_given_piece_by_piece(client):
    sent = [event(run=uuid4(), at=f"2024-02-01T00:00:{n:02}Z", f="x" * 300_000) for n in range(60)]
    assert (await send(client, "\n".join(sent), BATCH, NDJSON))[0] == 204
    async with client.get(EVENTS, params={"sortDirection": "asc"}) as response:
        assert await response.text() == f'{{"totalCount":60,"events":[{",".join(sent)}]}}'


moments = st.integers(0, 4 * 3600).map(lambda seconds: datetime(2024, 2, 1, tzinfo=UTC) + timedelta(seconds=seconds))


async def test_total_counts_are_exact_for_any_bounds_folded_or_not(client):
    clock = [datetime(2024, 2, 1, tzinfo=UTC) + timedelta(minutes=10 * n) for n in range(25)]
    spaces = [f"ns{n % 3}" for n in range(25)]
    for half in (slice(0, 12), slice(12, 25)):
        sent = [
            event(at=at.isoformat(), run=uuid4(), namespace=space)
            for at, space in zip(clock[half], spaces[half], strict=True)
        ]
        await send(client, "\n".join(sent), BATCH, NDJSON)
        if half.start == 0:
            await get(client, "/api/v1/namespaces")  # what came first is folded, the rest perhaps not
    bounds = [None, clock[0], clock[3], clock[3] + timedelta(seconds=1), clock[5], clock[6], clock[23], clock[24]]
    for after in bounds:
        for before in bounds:
            for space in (None, "ns1"):
                asked = {
                    "after": after and after.isoformat(),
                    "before": before and before.isoformat(),
                    "namespace": space,
                }
                found = await get(client, EVENTS, limit=0, **{k: v for k, v in asked.items() if v})
                expected = sum(
                    (after is None or at >= after) and (before is None or at < before) and space in (None, of)
                    for at, of in zip(clock, spaces, strict=True)
                )
                assert found["totalCount"] == expected, asked


async def test_marquez_recordings_are_answered_as_they_were(client):
    """Statuses and lists, but for what peer/README.md says that Marquez does wrong."""
    wrong = {"ol-no-type": 201, "ol-bad-type": 422, "ol-bad-time": 422, "ol-array": 400, "ol-malformed": 400}
    with (PEER / "lineage.jsonl").open() as recordings:
        for recording in map(json.loads, recordings):
            sent = recording["sent"]
            if recording["method"] == "POST":
                body = sent if isinstance(sent, str) else json.dumps(sent)
                status, _ = await send(client, body, recording["path"])
                assert status == wrong.get(recording["name"], recording["status"]), recording["name"]
            elif "/events/lineage" in recording["path"]:
                async with client.get(recording["path"]) as response:
                    assert response.status == recording["status"]
                    if response.status == 200:
                        answered = await response.json()
                        assert list(answered) == list(recording["body"])
                        assert as_marquez(answered["events"]) == as_marquez(recording["body"]["events"])


def as_marquez(value):
    """Return an event without the facets that Marquez adds as null, its time in UTC as Marquez writes it."""
    if isinstance(value, dict):
        plain = {name: as_marquez(inner) for name, inner in value.items() if inner is not None}
        return plain | ({"eventTime": timestamps.parse(value["eventTime"])} if "eventTime" in value else {})
    return [as_marquez(inner) for inner in value] if isinstance(value, list) else value


async def test_a_real_airflow_is_in_the_ledger_to_the_byte(client, db):
    recorded = (PEER / "airflow.ndjson").read_bytes()
    assert (await send(client, recorded, BATCH, NDJSON))[0] == 204
    assert [line for line in await bodies(db) if "airflow" in line] == recorded.decode().splitlines()
    states = {run["state"] for run in await last_runs(client, recorded)}
    assert states <= {"COMPLETED", "FAILED"}


async def last_runs(client, recorded: bytes) -> list[dict]:
    ids = {json.loads(line)["run"]["runId"] for line in recorded.splitlines()}
    return [await get(client, f"/api/v1/jobs/runs/{run}") for run in ids]


async def test_heartbeats_of_one_run_from_many_clients_are_all_recorded_once(client, db):
    beats = [event("RUNNING", at=f"2024-02-01T00:{n // 60:02}:{n % 60:02}Z") for n in range(256)]
    statuses = await asyncio.gather(*(send(client, beat) for beat in beats))
    assert {status for status, _ in statuses} == {201}
    assert await db.fetchval("select count(*) from runfold.events where stream = $1", RUN) == 256


steps = st.lists(
    st.tuples(st.sampled_from(["START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER"]), st.integers(0, 5)),
    min_size=1,
    max_size=6,
    unique=True,
)


async def test_neither_order_nor_repetition_of_events_changes_a_run(dsn, aiohttp_client):
    client = await aiohttp_client(build_app(Settings(database_url=dsn)))
    loop = asyncio.get_running_loop()

    @settings(max_examples=40)
    @given(steps, st.randoms(use_true_random=False), st.booleans())
    def hold(told, random, batch):
        asyncio.run_coroutine_threadsafe(_same_in_any_order(client, told, random, batch=batch), loop).result(30)

    await asyncio.to_thread(hold)


async def _same_in_any_order(client: TestClient, told, random, *, batch: bool) -> None:
    views = []
    for shuffled in (told, random.sample(told, len(told)) + random.choices(told, k=3)):
        run = uuid4()
        sent = [event(kind, f"2024-02-01T00:0{minute}:00Z", run, f={"at": minute}) for kind, minute in shuffled]
        if batch:
            assert (await send(client, f"[{','.join(sent)}]", BATCH))[0] == 204
        else:
            for one in sent:
                assert (await send(client, one))[0] == 201
        view = await get(client, f"/api/v1/jobs/runs/{run}")
        facet = view.pop("facets")["f"]["at"]
        assert facet == max(minute for _, minute in told)
        views.append({name: value for name, value in view.items() if name not in ("id", "updatedAt")})
    assert views[0] == views[1]
    ended = [kind for kind, _ in told if kind in ("COMPLETE", "FAIL", "ABORT")]
    assert (views[0]["state"] in ("COMPLETED", "FAILED", "ABORTED")) == bool(ended)


async def test_commands_and_events_of_one_run_make_one_history(client):
    await send(client, event(job="mixed"))
    path = f"/api/v1/jobs/runs/{RUN}"
    async with client.post(f"{path}/complete", params={"at": "2024-02-01T00:10:00Z"}) as response:
        assert (await response.json())["state"] == "COMPLETED"
    await send(client, event("RUNNING", "2024-02-01T00:20:00Z", job="mixed"))
    await send(client, event("START", "2024-01-31T23:00:00Z", job="mixed"))
    view = await get(client, path)
    assert (view["state"], view["startedAt"], view["endedAt"]) == (
        "COMPLETED",
        "2024-01-31T23:00:00Z",
        "2024-02-01T00:10:00Z",
    )
    async with client.post(f"{path}/start", params={"at": "2024-02-01T00:30:00Z"}) as response:
        assert response.status == 409

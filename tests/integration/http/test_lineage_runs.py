"""Runs made by OpenLineage events, recorded or random: in any order, any number of times, beside commands."""

import asyncio
import json
from uuid import uuid4

from aiohttp.test_utils import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from lineage_client import BATCH, NDJSON, PEER, RUN, bodies, event, get, send
from served import Served

from service.domain import timestamps
from service.http.app import build_app
from service.settings import Settings


async def test_marquez_recordings_are_answered_as_they_were(client):
    """Statuses and lists, except where Marquez is wrong (peer/README.md)."""
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
    client = await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
    loop = asyncio.get_running_loop()

    @settings(max_examples=40)
    @given(steps, st.randoms(use_true_random=False), st.booleans())
    def hold(history, random, batch):
        asyncio.run_coroutine_threadsafe(_same_in_any_order(client, history, random, batch=batch), loop).result(30)

    await asyncio.to_thread(hold)


async def _same_in_any_order(client: TestClient, history, random, *, batch: bool) -> None:
    views = []
    for shuffled in (history, random.sample(history, len(history)) + random.choices(history, k=3)):
        run = uuid4()
        sent = [event(kind, f"2024-02-01T00:0{minute}:00Z", run, f={"at": minute}) for kind, minute in shuffled]
        if batch:
            assert (await send(client, f"[{','.join(sent)}]", BATCH))[0] == 204
        else:
            for one in sent:
                assert (await send(client, one))[0] == 201
        view = await get(client, f"/api/v1/jobs/runs/{run}")
        facet = view.pop("facets")["f"]["at"]
        assert facet == max(minute for _, minute in history)
        views.append({name: value for name, value in view.items() if name not in ("id", "updatedAt")})
    assert views[0] == views[1]
    ended = [kind for kind, _ in history if kind in ("COMPLETE", "FAIL", "ABORT")]
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

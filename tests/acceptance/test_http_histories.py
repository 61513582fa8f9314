"""Random histories over HTTP: the state of the run equals that of a model without a database."""

import asyncio

from building import events
from histories import COMMANDS, ENDS, Command, Model, RunFact, at
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.decisions import Decision
from service.domain.event import Content, RunState

BASE = "/api/v1"
STATUS = {Decision.APPEND: 200, Decision.UNCHANGED: 200, Decision.CONFLICT: 409, Decision.KEY_REUSED: 422}
PATHS = dict(zip(COMMANDS, ("start", "complete", "fail", "abort"), strict=True))
EVENT_TYPES = dict(zip(COMMANDS, ("START", "COMPLETE", "FAIL", "ABORT"), strict=True))

minutes = st.integers(0, 12).map(at)
commands = st.builds(Command, st.sampled_from(COMMANDS), minutes, st.none() | st.sampled_from("kl"))
facts = st.builds(
    RunFact, st.sampled_from(COMMANDS), minutes, st.just("load"), st.just("openlineage"), st.none(), st.just(Content())
)


async def new_run(client):
    await client.put(f"{BASE}/namespaces/etl", json={"ownerName": "me"})
    await client.put(f"{BASE}/namespaces/etl/jobs/load", json={"type": "BATCH", "inputs": [], "outputs": []})
    created = await client.post(f"{BASE}/namespaces/etl/jobs/load/runs")
    return (await created.json())["id"]


async def send_command(client, run, command):
    headers = {"Idempotency-Key": command.key} if command.key else {}
    parameters = {"at": command.at.isoformat()} if command.at else {}
    path = f"{BASE}/jobs/runs/{run}/{PATHS[command.state]}"
    response = await client.post(path, params=parameters, headers=headers)
    return response.status, await response.json()


async def send_event(client, run, event):
    body = {
        "eventType": EVENT_TYPES[event.state],
        "eventTime": event.at.isoformat(),
        "producer": "tests",
        "run": {"runId": run},
        "job": {"namespace": "etl", "name": "load"},
    }
    assert (await client.post(f"{BASE}/lineage", json=body)).status == 201


def summary_of(view):
    return view["state"], view["startedAt"], view["endedAt"], view["durationMs"]


def modelled_summary(model):
    run = model.view
    times = [time.isoformat().replace("+00:00", "Z") if time else None for time in (run.started_at, ended_at(run))]
    return str(run.state), *times, run.duration_ms


def ended_at(run):
    return run.ended.at if run.ended else None


async def recorded(db, run):
    return len([row for row in await events(db) if str(row["stream"]) == run])


@settings(max_examples=50)
@given(st.lists(commands, max_size=12))
async def test_a_history_of_commands_becomes_what_the_model_says(client, db, history):
    run, model = await new_run(client), Model()
    for command in history:
        verdict = model.command(command)
        status, answer = await send_command(client, run, command)
        assert status == STATUS[verdict]
        if status != 422:
            assert summary_of(answer.get("run", answer)) == modelled_summary(model)
    assert summary_of(await (await client.get(f"{BASE}/jobs/runs/{run}")).json()) == modelled_summary(model)
    assert await recorded(db, run) == model.position


@settings(max_examples=40)
@given(st.lists(commands | facts, max_size=12, unique_by=repr))
async def test_a_history_with_openlineage_events_becomes_what_the_model_says(client, db, history):
    run, model = await new_run(client), Model()
    for step in history:
        if isinstance(step, RunFact):
            model.fact(step)
            await send_event(client, run, step)
        else:
            verdict = model.command(step)
            status, answer = await send_command(client, run, step)
            assert status == STATUS[verdict]
            if status == 200:
                assert summary_of(answer) == modelled_summary(model)
    assert summary_of(await (await client.get(f"{BASE}/jobs/runs/{run}")).json()) == modelled_summary(model)
    listed = await (await client.get(f"{BASE}/namespaces/etl/jobs/load/runs?limit=1")).json()
    assert summary_of(listed["runs"][0]) == modelled_summary(model)
    assert await recorded(db, run) == model.position


@settings(max_examples=30)
@given(st.lists(commands, min_size=2, max_size=10))
async def test_whatever_comes_at_once_a_200_to_an_end_names_the_end_that_stands(client, db, history):
    run = await new_run(client)
    answers = await asyncio.gather(*(send_command(client, run, command) for command in history))
    view = await (await client.get(f"{BASE}/jobs/runs/{run}")).json()
    for command, (status, answer) in zip(history, answers, strict=True):
        assert status in (200, 409, 422)
        if status == 200 and command.state in ENDS:
            assert answer["state"] == view["state"] == command.state
        if status == 409:
            assert answer["run"]["state"] == view["state"] != RunState.RUNNING
    model = Model()
    for row in await events(db):
        if str(row["stream"]) == run and row["state"] != "NEW":
            model.fact(RunFact(RunState(row["state"]), row["transitioned_at"], "load", "api", None, Content()))
    assert modelled_summary(model) == summary_of(view)

"""A dataset at a past moment is what was answered then, whatever was recorded since."""

import random
from uuid import UUID

import pytest
from dataset_client import BASE, call, facets, named, report, tell

RUNS = [UUID(f"00000000-0000-4000-8000-00000000000{number}") for number in range(4)]
PATH = f"{BASE}/namespaces/lake/datasets/t"
OF_NOW = {"tags", "columnLineage", "asOf"}
NOW = "select max(recorded_at) from runfold.events"


async def get(client, path=PATH, status=200, **parameters):
    async with client.get(path, params=parameters) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


def document(text, field="a", **more):
    return named("t", **facets((field, "int")), documentation={"description": text}, **more)


def comparable(view):
    return {name: value for name, value in view.items() if name not in OF_NOW}


async def _report_something(client, chance, minute):
    told = {
        "schema": {"fields": [{"name": chance.choice("ab"), "type": "int"}]},
        "documentation": {"description": f"as of {minute}"},
        "ownership": {"owners": [{"name": chance.choice("xy")}]},
        "lifecycleStateChange": {"lifecycleStateChange": chance.choice(["DROP", "CREATE"])},
        "storage": {"_deleted": True} if chance.random() < 0.3 else {"storageLayer": f"{minute}"},
    }
    t = named("t", **{name: facet for name, facet in told.items() if chance.random() < 0.5})
    kind = chance.choice(["outputs", "inputs", "both", "dataset"])
    if kind == "dataset":
        await tell(client, t, minute)
        return
    which = {"both": {"inputs": [t], "outputs": [t]}}.get(kind, {kind: [t]})
    await report(client, chance.choice(["START", "COMPLETE"]), minute, run=chance.choice(RUNS), **which)


@pytest.mark.parametrize("seed", range(6))
async def test_a_dataset_at_a_past_moment_is_what_was_answered_then(client, db, seed):
    chance = random.Random(seed)  # noqa: S311
    minutes = chance.sample(range(60), 10)
    shown = []
    for minute in minutes:
        await _report_something(client, chance, minute)
        shown.append((await db.fetchval(NOW), comparable(await get(client))))
    for known_at, view in shown:
        assert comparable(await get(client, knownAt=known_at.isoformat())) == view


@pytest.mark.parametrize("seed", range(6))
async def test_a_dataset_as_it_stood_is_what_is_answered_when_nothing_happened_since(client, seed):
    chance = random.Random(seed)  # noqa: S311
    shown = []
    for minute in range(10):
        await _report_something(client, chance, minute)
        shown.append(comparable(await get(client)))
    for minute, view in enumerate(shown):
        assert comparable(await get(client, validAt=f"2024-02-01T00:0{minute}:30Z")) == view


async def test_what_happened_before_and_was_recorded_later_was_not_known(client, db):
    await report(client, minute=10, outputs=[document("known")], run=RUNS[0])
    known_at = (await db.fetchval(NOW)).isoformat()
    await report(client, minute=0, outputs=[document("late")], run=RUNS[1])
    (version,) = (await get(client, f"{PATH}/versions", knownAt=known_at))["versions"]
    assert version["createdAt"] == "2024-02-01T00:10:00Z"
    assert version["createdByRun"]["id"] == str(RUNS[0])
    assert "late" not in str(version)
    before = {"knownAt": known_at, "validAt": "2024-02-01T00:05:00Z"}
    await get(client, status=404, **before)
    versions = await get(client, f"{PATH}/versions", **before)
    assert (versions["versions"], versions["totalCount"]) == ([], 0)
    assert (await get(client, validAt="2024-02-01T00:05:00Z"))["description"] == "late"


async def test_what_a_definition_told_stands_behind_any_number_of_events(client):
    await call(client, "PUT", f"{BASE}/namespaces/lake", {"ownerName": "me"})
    await call(client, "PUT", f"{BASE}/sources/dw", {"type": "POSTGRESQL", "connectionUrl": "postgresql://db/dw"})
    defined = {"type": "DB_TABLE", "physicalName": "p", "sourceName": "dw", "description": "defined"}
    assert (await call(client, "PUT", PATH, defined))[0] == 200
    for minute in range(12):
        await report(client, minute=minute, inputs=[named("t")], run=RUNS[0])
    view = comparable(await get(client))
    assert view["description"] == "defined"
    assert comparable(await get(client, validAt=view["updatedAt"])) == view


async def test_a_facet_that_was_not_replaced_stands_behind_any_number_of_events(client):
    await report(client, minute=0, outputs=[document("first", owner={"of": "all"})], run=RUNS[0])
    for minute in range(1, 20):
        await report(client, minute=minute, outputs=[named("t")], run=RUNS[1])
    await report(client, minute=20, outputs=[document("last")], run=RUNS[2])
    past = await get(client, validAt="2024-02-01T00:19:30Z")
    assert (past["description"], past["facets"]["owner"]) == ("first", {"of": "all"})

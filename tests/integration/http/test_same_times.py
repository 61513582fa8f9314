"""What is shown of datasets does not depend on the order in which events of one time, or late ones, were recorded."""

from itertools import permutations
from uuid import UUID

import pytest
from dataset_client import BASE, call, facets, named, report, tell
from graphs import ask

RUNS = [UUID(f"00000000-0000-4000-8000-00000000000{number}") for number in range(4)]
PATH = f"{BASE}/namespaces/lake/datasets/t"
THEN = "?validAt=2024-02-01T01:00:00Z"


async def get(client, path):
    status, _, answer = await call(client, "GET", path)
    assert status == 200
    return answer


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_of_events_of_one_time_the_same_one_tells_the_fields_and_the_version(client, order):
    told = [("START", "a"), ("COMPLETE", "b"), ("RUNNING", "c")]
    for number in order:
        kind, field = told[number]
        await report(client, kind, 5, outputs=[named("t", **facets((field, "int")))], run=RUNS[0])
    shown = await get(client, PATH)
    assert [field["name"] for field in shown["fields"]] == ["b"]
    version = await get(client, f"{PATH}/versions/{shown['currentVersion']}")
    past = await get(client, PATH + THEN)
    assert shown["fields"] == version["fields"] == past["fields"]
    assert past["currentVersion"] == shown["currentVersion"]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_of_two_names_of_a_dataset_the_same_event_of_one_time_tells_the_version(client, order):
    link = {"symlinks": {"identifiers": [{"namespace": "lake", "name": "u", "type": "TABLE"}]}}
    told = [
        lambda: report(client, "START", 5, outputs=[named("t", **facets(("a", "int")))], run=RUNS[0]),
        lambda: report(client, "COMPLETE", 5, outputs=[named("u", **facets(("b", "int")))], run=RUNS[0]),
        lambda: tell(client, named("t", **link), 0),
    ]
    for number in order:
        await told[number]()
    past = await get(client, PATH + THEN)
    assert [field["name"] for field in past["fields"]] == ["b"]


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_a_version_is_created_by_the_run_that_wrote_it_first_whoever_read_it_before(client, order):
    same = named("t", **facets(("a", "int")))
    told = [
        lambda: report(client, minute=0, inputs=[same], run=RUNS[0], job="reader"),
        lambda: tell(client, same, 1),
        lambda: report(client, minute=2, outputs=[same], run=RUNS[1]),
        lambda: report(client, minute=3, outputs=[same], run=RUNS[2]),
    ]
    for number in order:
        await told[number]()
    (version,) = (await get(client, f"{PATH}/versions"))["versions"]
    alone = await get(client, f"{PATH}/versions/{version['version']}")
    assert version["createdAt"] == "2024-02-01T00:00:00Z"
    assert version["createdByRun"]["id"] == alone["createdByRun"]["id"] == str(RUNS[1])
    for minute, run in ((1, None), (2, str(RUNS[1]))):
        (then,) = (await get(client, f"{PATH}/versions?validAt=2024-02-01T00:0{minute}:00Z"))["versions"]
        assert (then["createdByRun"] or {}).get("id") == run


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_of_two_runs_that_wrote_at_one_time_the_same_one_wrote_what_was_read(client, order):
    told = [
        lambda: report(client, minute=1, outputs=[named("t")], run=RUNS[1]),
        lambda: report(client, minute=1, outputs=[named("t")], run=RUNS[2], job="other"),
        lambda: report(client, minute=2, inputs=[named("t")], run=RUNS[3], job="reader"),
    ]
    for number in order:
        await told[number]()
    found = await ask(client, "runlineage/upstream", str(RUNS[3]))
    assert [each["run"]["id"] for each in found["runs"]] == [str(RUNS[3]), str(RUNS[2])]
    found = await ask(client, "runlineage/downstream", str(RUNS[1]))
    assert [each["run"]["id"] for each in found["runs"]] == [str(RUNS[1])]

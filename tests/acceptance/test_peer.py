"""Requests that a real Marquez was sent (data/peer/runs.jsonl): Runfold answers the same, except for a table."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

PEER = Path(__file__).parents[1] / "data" / "peer" / "runs.jsonl"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
RECORDED_AT = "2026-11-23T17:08"


class Status(NamedTuple):
    """An exchange that Runfold answers with another status."""

    exchange: str
    marquez: int
    runfold: int
    reason: str


class Field(NamedTuple):
    """Fields (a pattern) of exchanges (a pattern) that Runfold answers with other values."""

    exchanges: str
    fields: str
    reason: str


STATUSES = [
    Status("ns-put-bad-no-owner", 500, 400, "ill-typed JSON is the caller's fault"),
    Status("ns-put-malformed", 500, 400, "malformed JSON is the caller's fault"),
    Status("ns-put-badname", 404, 200, "names may hold any character"),
    Status("job-put-bad-type", 500, 400, "ill-typed JSON is the caller's fault"),
    Status("job-put-no-io", 500, 400, "ill-typed JSON is the caller's fault"),
    Status("run-create-nobody", 500, 201, "an empty body is {}"),
    Status("run-create-id-again", 400, 200, "the same id with the same content is the same creation"),
    Status("run-create-bad-id", 500, 400, "ill-typed JSON is the caller's fault"),
    Status("run-create-bad-nominal", 500, 422, "well-formed, but no time"),
    Status("run-create-malformed", 500, 400, "malformed JSON is the caller's fault"),
    Status("run-start-at-naive", 500, 200, "a time without an offset is UTC"),
    Status("run-start-at-date", 500, 400, "a date is no time"),
    Status("run-start-at-bad", 500, 400, "that is no time"),
    Status("run-start-at-empty", 500, 400, "nothing is no time"),
    Status("run-start-after-complete", 200, 409, "an end is final"),
    Status("run-fail-after", 200, 409, "an end is final"),
    Status("run-list-badlimit2", 404, 400, "the route exists, the parameter is malformed"),
]

FIELDS = [
    Field("ns-put-again", "description", "a PUT updates the description, too"),
    Field("ns-list", r"namespaces\[0\]\..*", "a$b!c was accepted, and comes first"),
    Field("run-start-at.*|run-complete-new|run3-.*|run4-.*", "updatedAt", "when the ledger last learned something"),
    Field("run-list", r"runs\[.\]\.updatedAt", "when the ledger last learned something"),
    Field("run-complete|run-complete-again", "startedAt|durationMs", "the first start counts"),
    Field(".*", r"(runs\[.\]\.)?jobVersion", "versions come later"),
    Field(".*", r"(runs\[.\]\.)?job", "a run names its job"),
    Field("jobs-.*", r"jobs\[.\]\.currentVersion", "versions come later"),
    Field("run-list", "totalCount", "run-create-nobody made a run"),
    Field("run-list", r"runs\[1\]\.(state|startedAt|durationMs)", "Marquez reopened the run; not in the recording"),
    Field("run-facets-.*", "", "an empty set of facets is answered as one"),
    Field("jobs-list|jobs-all", r"jobs\[.\]\.updatedAt", "when the ledger last learned something"),
    Field("jobs-list|jobs-all", r"jobs\[.\]\.latestRuns?.*", "runs that Marquez reopened are newest there"),
    Field("jobs-all-state", "jobs|totalCount", "lastRunStates filters; Marquez passes it over"),
]

WORDS = {
    "run-create-wrong-ct": "names what was sent and what is read",
    "run-start-notuuid": "names the run that is not found",
    "run-list-badlimit": "one shape for all errors",
    "run-facets-bad": "DATASET facets come later",
    "run-facets-none": "one shape for all errors",
}
"""Exchanges that both refuse, with different messages."""


def exchanges():
    return [json.loads(line) for line in PEER.read_text(encoding="utf-8").splitlines()]


def comparable(value, *, now):
    """Return a JSON value without the values that a server generates: current times and ids. Jobs in any order."""
    if isinstance(value, dict):
        return {key: comparable(part, now=now) for key, part in value.items()}
    if isinstance(value, list):
        return sorted((comparable(part, now=now) for part in value), key=lambda part: str(part.get("name", "")))
    if isinstance(value, str) and TIME.fullmatch(value):
        return "now" if now(value) else datetime.fromisoformat(value)
    return UUID.sub("an id", value) if isinstance(value, str) else value


def recorded_now(text):
    return text.startswith(RECORDED_AT)


def just_now(text):
    return abs(datetime.now(UTC) - datetime.fromisoformat(text)) < timedelta(minutes=5)


def differences(theirs, ours, path="") -> Iterator[tuple[str, object, object]]:
    """Yield the path of every field that differs, or that only one of the two has."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in theirs.keys() | ours.keys():
            yield from differences(theirs.get(key, "absent"), ours.get(key, "absent"), f"{path}.{key}".lstrip("."))
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, parts in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(*parts, f"{path}[{index}]")
    elif theirs != ours:
        yield path, theirs, ours


async def replay(client, ids, sent):
    """Send a recorded request; a run id in its path is replaced by that of Runfold's run."""
    path = UUID.sub(lambda found: ids.get(found[0], found[0]), sent["path"])
    body = sent["sent"]
    data = None if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    headers = sent.get("sent_headers") or ({"Content-Type": "application/json"} if data is not None else {})
    response = await client.request(sent["method"], path, data=data, headers=headers)
    answer = await response.json(content_type=None)
    if sent["status"] in (200, 201) and isinstance((sent["body"] or {}).get("id"), str) and "id" in answer:
        ids[sent["body"]["id"]] = answer["id"]
    return response, answer


def row_for(name, path):
    return next((row for row in FIELDS if re.fullmatch(row.exchanges, name) and re.fullmatch(row.fields, path)), None)


async def test_runfold_answers_as_marquez_does_but_for_the_table(client):
    ids, used, statuses = {}, set(), []
    for sent in exchanges():
        name = sent["name"]
        response, answer = await replay(client, ids, sent)
        if response.status != sent["status"]:
            statuses.append((name, sent["status"], response.status))
            continue
        if response.status >= 400:
            assert response.content_type == "application/problem+json"
            messages = [UUID.sub("an id", problem.get("message", "")) for problem in (sent["body"], answer)]
            assert answer["code"] == response.status
            assert (messages[0] != messages[1]) == (name in WORDS), (name, messages)
            continue
        assert sent.get("type", response.content_type) == response.content_type
        marquez, runfold = comparable(sent["body"], now=recorded_now), comparable(answer, now=just_now)
        for path, theirs, ours in differences(marquez, runfold):
            row = row_for(name, path)
            assert row is not None, f"{name}: {path} is {ours!r}, in Marquez {theirs!r}"
            used.add(row)
    assert statuses == [(row.exchange, row.marquez, row.runfold) for row in STATUSES]
    assert used == set(FIELDS), "remove from the table what no longer differs"


async def test_a_created_run_says_where_it_is(client):
    ids = {}
    for sent in exchanges():
        response, answer = await replay(client, ids, sent)
        if response.status == 201:
            path = f"/api/v1/jobs/runs/{answer['id']}"
            assert response.headers["Location"] == path
            assert await (await client.get(path)).json() == answer


async def test_no_answer_tells_of_what_is_inside(client):
    """Class names, parser internals, statements, file names: Marquez shows them."""
    ids = {}
    for sent in exchanges():
        response, answer = await replay(client, ids, sent)
        if response.status >= 400:
            assert not re.search(r"Traceback|File \"|asyncpg|msgspec|orjson|select |\$1|\bNone\b", json.dumps(answer))

"""The stream in brief: how many events were recorded, and what the last of them are about, once a second at most."""

import asyncio
import json
from uuid import uuid4

import pytest
from building import fact, facts
from hypothesis import given
from hypothesis import strategies as st

from service.audit import tail as tails
from service.audit.event_text import MOST_BRIEFS, brief_frame
from service.http.resources import RESOURCES
from service.ledger.cursors import decode_position

URL = "/api/v1/events/stream"
FIELDS = ["position", "subject", "id", "kind", "state", "transitionedAt", "namespace", "job", "parentRun", "source"]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(tails, "_BRIEF_PAUSE_S", 0.05)


async def append(client, drafts):
    await asyncio.gather(*map(client.app[RESOURCES].appender.fact, drafts))


async def whole(client, **params):
    found, cursor = [], "start"
    while cursor:
        answer = await (await client.get("/api/v1/events", params={"limit": 1000, "cursor": cursor, **params})).json()
        found, cursor = found + answer["events"], answer["next"]
    return found


async def messages(answer):
    while True:
        frame = (await answer.content.readuntil(b"\n\n")).decode()
        fields = dict(line.split(": ", 1) for line in frame.strip().splitlines() if not line.startswith(":"))
        if "data" in fields:
            yield fields["id"], json.loads(fields["data"])


async def hear(client, count, headers=None, opened=None, **params):
    """Return the messages of a stream, as (id, message), until they are about so many events."""
    found = []
    async with client.get(URL, params={"brief": "true", **params}, headers=headers) as answer, asyncio.timeout(20):
        assert answer.status == 200, await answer.text()
        if opened is not None:
            opened.release()
        async for message in messages(answer):
            found.append(message)
            if sum(each["events"] for _, each in found) >= count:
                return found
    raise AssertionError


async def test_all_are_counted_once_and_the_last_ones_described(client):
    await append(
        client, [*facts(1_300), *(fact(uuid4(), "COMPLETED", job='a "job"\n') for _ in range(5)), fact(uuid4(), None)]
    )
    for params in ({}, {"state": "COMPLETED"}, {"kind": "facts"}):
        events = await whole(client, **params)
        heard = await hear(client, len(events), cursor="start", **params)
        assert sum(each["events"] for _, each in heard) == len(events)
        assert sum(each["transitions"] for _, each in heard) == sum(each["kind"] == "transition" for each in events)
        brief = [{field: event[field] for field in FIELDS} for event in events]
        upto = 0
        for _, each in heard:
            upto += each["events"]
            assert each["latest"] == brief[max(upto - MOST_BRIEFS, upto - each["events"]) : upto]


async def test_it_goes_on_behind_the_last_message_and_the_whole_form_does_too(client):
    await append(client, facts(1_200))
    events = await whole(client)
    (last, first), *_ = await hear(client, 1, cursor="start")
    rest = len(events) - first["events"]
    assert rest > 0
    assert sum(each["events"] for _, each in await hear(client, rest, {"Last-Event-ID": last})) == rest
    assert decode_position(last).position == events[first["events"] - 1]["position"]
    async with client.get(URL, headers={"Last-Event-ID": last}) as answer, asyncio.timeout(20):
        _, event = await anext(messages(answer))
    assert event == events[first["events"]]


async def test_what_is_recorded_is_gathered_for_all_listeners(client, monkeypatch):
    monkeypatch.setattr(tails, "_BRIEF_PAUSE_S", 0.4)
    opened = asyncio.Semaphore(0)
    before = len(await whole(client))
    hearing = [asyncio.create_task(hear(client, 60, opened=opened)) for _ in range(3)]
    for _ in hearing:
        await opened.acquire()
    began = asyncio.get_running_loop().time()
    for _ in range(60):
        await append(client, facts(1))
    heard = await asyncio.gather(*hearing)
    passed = asyncio.get_running_loop().time() - began
    assert all(sum(each["events"] for _, each in one) == 60 for one in heard)
    assert all(len(one) <= passed / 0.4 + 2 for one in heard)
    assert len(await whole(client)) == before + 60


def test_messages_come_more_seldom_the_more_listeners_there_are():
    pauses = [tails.BRIEFS.pause_s(listeners) for listeners in range(1, 2_000)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.1
    assert pauses[-1] == tails._MOST_BRIEF_PAUSE_S
    assert max(listeners / pause for listeners, pause in enumerate(pauses[:200], 1)) <= 100


@given(st.integers(1, 3 * MOST_BRIEFS))
def test_a_message_describes_so_many_events_at_most(count):
    frame = brief_frame(count, [b'{"position":%d}' % position for position in range(1, count + 1)], count)
    message = json.loads(frame.partition(b"data: ")[2])
    assert (message["events"], message["transitions"]) == (count, count)
    assert [each["position"] for each in message["latest"]] == list(range(max(1, count - MOST_BRIEFS + 1), count + 1))

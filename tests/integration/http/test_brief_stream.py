"""The stream in brief: how many events were recorded, and what the last of them are about, once a second at most."""

import asyncio
import json
from uuid import uuid4

import pytest
from building import fact, facts
from hypothesis import given, settings
from hypothesis import strategies as st
from served import Served
from waiting import wait_until

from service.audit import brief_batch
from service.audit.brief_batch import MOST_DESCRIBED
from service.audit.event_lines import PositionRange
from service.audit.event_text import next_cursor
from service.audit.filters import EVERYTHING, EventFilters
from service.domain.binding import Binding
from service.domain.event import SOURCES, Kind, RunState
from service.errors import Unavailable
from service.http.app import build_app
from service.http.handlers import event_stream
from service.http.resources import RESOURCES
from service.ledger.cursors import decode_position
from service.settings import Settings

URL = "/api/v1/events/stream"
FIELDS = ["position", "subject", "id", "kind", "state", "transitionedAt", "namespace", "job", "parentRun", "source"]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(brief_batch, "_PAUSE_S", 0.05)


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
            assert each["latest"] == brief[max(upto - MOST_DESCRIBED, upto - each["events"]) : upto]


async def test_it_goes_on_behind_the_last_message_and_the_whole_form_does_too(client, monkeypatch):
    monkeypatch.setattr(brief_batch, "_MOST_EVENTS", 1_000)
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
    monkeypatch.setattr(brief_batch, "_PAUSE_S", 0.4)
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
    pauses = [brief_batch.BRIEFS.pause_s(listeners) for listeners in range(1, 2_000)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.1
    assert pauses[-1] == brief_batch._MOST_PAUSE_S
    assert max(listeners / pause for listeners, pause in enumerate(pauses[:200], 1)) <= 100


NAMES = ("sales", "sales-a", "SALES", "100%", "o'hara", "s")
RUNS = [uuid4() for _ in range(3)]
drafts = st.builds(
    lambda run, state, kind, name, actor, source: fact(run, state)._replace(
        kind=kind, namespace=name, job=name, actor=actor, source=source
    ),
    st.sampled_from(RUNS),
    st.sampled_from([None, *RunState]),
    st.sampled_from([Kind.TRANSITION, Kind.FACTS]),
    st.none() | st.sampled_from(NAMES),
    st.none() | st.just("someone"),
    st.sampled_from(SOURCES),
)
names = st.lists(st.sampled_from(NAMES), max_size=2).map(tuple)
filters = st.builds(
    EventFilters,
    namespace=st.none() | st.sampled_from(NAMES),
    job=st.none() | st.sampled_from(NAMES),
    run=st.none() | st.sampled_from(RUNS),
    kinds=st.none() | st.sets(st.sampled_from([Kind.TRANSITION, Kind.FACTS]), min_size=1).map(tuple),
    states=st.none() | st.sets(st.sampled_from(RunState), min_size=1).map(tuple),
    actor=st.none() | st.just("someone"),
    sources=st.none() | st.sets(st.sampled_from(SOURCES), min_size=1).map(tuple),
    within=st.none() | st.builds(Binding, names, names, names),
)


async def test_any_filter_counts_and_describes_the_events_that_match_it(client):
    resources, loop = client.app[RESOURCES], asyncio.get_running_loop()

    async def check(appended, questions, most):
        after = (await resources.ledger.head()).position
        for draft in appended:
            await resources.appender.fact(draft)
        span = PositionRange(after, (await resources.ledger.head()).position)
        events = await resources.ledger.recorded_after(after, len(appended))
        for question in questions:
            matching = [event for event in events if question.match(event.fields)]
            brief = await resources.ledger.in_brief(question, span, most)
            assert brief.events == len(matching)
            assert brief.transitions == sum(event.fields.kind == Kind.TRANSITION for event in matching)
            described = json.loads(b"[%b]" % brief.latest)
            whole_events = [json.loads(event.text) for event in matching[-most:]]
            assert described == [{field: event[field] for field in FIELDS} for event in whole_events]

    @settings(max_examples=30)
    @given(st.lists(drafts, min_size=1, max_size=12), st.lists(filters, min_size=10, max_size=20), st.integers(1, 5))
    def hold(appended, questions, most):
        asyncio.run_coroutine_threadsafe(check(appended, questions, most), loop).result(30)

    await asyncio.to_thread(hold)


async def test_a_message_is_made_once_for_all_listeners_with_the_same_filter(client, monkeypatch):
    monkeypatch.setattr(brief_batch, "_PAUSE_S", 0.4)
    ledger, asked = client.app[RESOURCES].ledger, []
    in_brief = ledger.in_brief

    async def counted(filters, span, most):
        asked.append((filters, span))
        return await in_brief(filters, span, most)

    monkeypatch.setattr(ledger, "in_brief", counted)
    opened = asyncio.Semaphore(0)
    hearing = [
        asyncio.create_task(hear(client, 20, opened=opened, **params))
        for params in ({}, {"state": "RUNNING"})
        for _ in range(5)
    ]
    for _ in hearing:
        await opened.acquire()

    async def follows():
        return client.app[RESOURCES].briefs._position >= 0

    await wait_until(follows, "the end of the ledger is followed; who listens before reads what is new alone")
    await append(client, facts(20))
    await asyncio.gather(*hearing)
    assert len(asked) == len(set(asked))
    assert {filters for filters, _ in asked} == {EVERYTHING, EventFilters(states=("RUNNING",))}


async def test_who_is_slower_than_the_others_gets_one_message_about_all_that_it_missed(client):
    briefs = client.app[RESOURCES].briefs
    await append(client, facts(5))
    begin = (await client.app[RESOURCES].ledger.head()).position
    opened = asyncio.Semaphore(0)
    for _ in range(3):
        hearing = asyncio.create_task(hear(client, 1, opened=opened))
        await opened.acquire()
        await append(client, facts(2))
        await hearing
    assert not briefs.next_after(begin).batch
    heard = await hear(client, 6, {"Last-Event-ID": next_cursor(begin)})
    assert [each["events"] for _, each in heard] == [6]


async def test_who_has_heard_of_a_part_is_told_the_rest(client):
    await append(client, facts(5))
    ledger = client.app[RESOURCES].ledger
    head = (await ledger.head()).position
    batch = brief_batch.BriefBatch(ledger, head - 5, head, full=False)
    for heard in range(6):
        message = await batch.sse_frames(EVERYTHING, head - 5 + heard)
        assert (b'"events":%d,' % (5 - heard) in message) == (heard < 5)


async def test_a_stream_goes_on_when_the_database_can_be_used_again(make_proxy, aiohttp_client, monkeypatch):
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.2)
    proxy = await make_proxy()
    client = await aiohttp_client(Served(build_app(Settings(database_url=proxy.dsn, database_timeout=1))))
    for brief in ("true", "false"):
        async with client.get(URL, params={"brief": brief}) as answer, asyncio.timeout(30):
            await answer.content.readuntil(b"\n\n")
            await append(client, facts(1))
            await anext(messages(answer))
            await proxy.stop()
            assert b"heartbeat" in await answer.content.readuntil(b"\n\n")
            await proxy.listen()
            await wait_until(lambda: can_append(client), "the database can be used again")
            await anext(messages(answer))


async def can_append(client):
    try:
        await append(client, facts(1))
    except Unavailable:
        return False
    return True

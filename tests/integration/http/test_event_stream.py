"""Server-sent events: in order, each once, whatever other clients do."""

import asyncio
import json
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
from aiohttp.test_utils import make_mocked_request
from building import fact, facts
from served import Served
from waiting import wait_until

from service.audit import tail_batch
from service.audit.event_text import sse_frame
from service.audit.filters import EVERYTHING, EventFilters, FilteredFields
from service.audit.ledger_reader import RecordedEvent
from service.audit.tail import LedgerTail
from service.audit.tail_batch import TailBatch
from service.http import unread_answers
from service.http.app import build_app
from service.http.event_parameters import event_filters
from service.http.handlers import event_stream
from service.http.parameters import MAX_PAGE_EVENTS
from service.http.resources import RESOURCES
from service.http.route import RequestParameters
from service.ledger.cursors import decode_position
from service.maintenance.erase import erase_payloads
from service.settings import Settings

URL = "/api/v1/events/stream"


@asynccontextmanager
async def listening(client, headers=None, **params):
    """Yield an iterator over the (id, event) of a stream; the stream has begun when this enters."""
    async with client.get(URL, params=params, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        assert (await answer.content.readuntil(b"\n\n")).startswith(b": from position")
        yield stream_events(answer)


async def stream_events(answer):
    while True:
        try:
            frame = (await answer.content.readuntil(b"\n\n")).decode()
        except asyncio.IncompleteReadError:
            return
        fields = dict(line.split(": ", 1) for line in frame.strip().splitlines() if not line.startswith(":"))
        if "data" in fields:
            yield fields["id"], json.loads(fields["data"])


async def take(events, count):
    async with asyncio.timeout(20):
        return [await anext(events) for _ in range(count)]


def keep_one_batch(client, monkeypatch):
    tail = client.app[RESOURCES].tail
    monkeypatch.setattr(tail, "_form", tail._form._replace(kept_batches=1))


async def append(client, count):
    appender = client.app[RESOURCES].appender
    return [answer.position for answer in await asyncio.gather(*map(appender.fact, facts(count)))]


async def whole(client, **params):
    answer = await client.get("/api/v1/events", params={"limit": 1000, **params})
    return (await answer.json())["events"]


async def test_a_stream_from_the_start_is_the_pages_and_then_what_comes(client):
    await append(client, 5)
    async with listening(client, cursor="start") as events:
        before = len(await whole(client))
        first = await take(events, before)
        await append(client, 5)
        rest = await take(events, 5)
    assert [event for _, event in first + rest] == await whole(client)


async def test_now_is_what_comes_from_now_on(client):
    await append(client, 3)
    async with listening(client) as events:
        positions = await append(client, 3)
        assert sorted(event["position"] for _, event in await take(events, 3)) == sorted(positions)


async def test_it_resumes_behind_the_last_event_heard(client):
    await append(client, 6)
    everything = await whole(client)
    async with listening(client, cursor="start") as events:
        *_, (last, third) = await take(events, 3)
    async with listening(client, {"Last-Event-ID": last}) as events:
        following = await take(events, len(everything) - 3)
    assert [event for _, event in following] == everything[3:]
    assert third == everything[2]


async def test_filters_are_those_of_the_pages(client):
    async with listening(client, cursor="start", kind="transition", state="RUNNING") as events:
        await append(client, 4)
        found = await take(events, 4)
    assert [event for _, event in found] == await whole(client, kind="transition", state="RUNNING")


async def test_of_what_comes_only_what_matches_is_heard(client):
    async with listening(client, state="COMPLETED") as events:
        appender = client.app[RESOURCES].appender
        await appender.fact(fact(uuid4(), "COMPLETED"))
        await take(events, 1)  # from now on, the batches themselves are heard
        sent = [fact(uuid4(), state) for state in ("RUNNING", "COMPLETED", "RUNNING", None, "COMPLETED")]
        recorded = await asyncio.gather(*map(appender.fact, sent))
        found = [event["position"] for _, event in await take(events, 2)]
    assert found == [recorded[1].position, recorded[4].position]


async def test_what_another_process_appends_is_heard(client, aiohttp_client, dsn):
    other = await aiohttp_client(Served(build_app(Settings(database_url=dsn))))
    async with listening(client) as events:
        positions = [*await append(other, 3), *await append(client, 3), *await append(other, 3)]
        found = [event["position"] for _, event in await take(events, 9)]
    assert found == sorted(positions)


async def test_who_fell_behind_what_is_kept_catches_up_alone(client, monkeypatch):
    keep_one_batch(client, monkeypatch)
    monkeypatch.setattr(tail_batch, "_PAGE", 3)
    async with listening(client, cursor="start") as behind, listening(client) as ahead:
        for _ in range(4):
            await append(client, 10)
        await take(ahead, 40)
        everything = await whole(client)
        assert [event for _, event in await take(behind, len(everything))] == everything


@pytest.mark.parametrize("filters", [{}, {"kind": "transition", "state": "RUNNING"}])
async def test_a_listener_many_pages_behind_gets_each_event_once(client, filters):
    positions = await append(client, 2 * MAX_PAGE_EVENTS + 500)
    async with listening(client, cursor="start", **filters) as events:
        for position in range(min(positions) if filters else 1, max(positions) + 1):
            ((_, event),) = await take(events, 1)
            assert event["position"] == position
        more = await append(client, 3)
        assert [event["position"] for _, event in await take(events, 3)] == sorted(more)


async def test_a_listener_in_the_middle_of_a_batch_hears_the_rest_of_it():
    fields = FilteredFields("run", UUID(int=1), "transition", "RUNNING", "api", None, None, None)
    texts = [b"%d" % position * 1000 for position in (1, 2, 3)]
    batch = TailBatch(0, 3, [RecordedEvent(position, fields, text) for position, text in enumerate(texts, 1)])
    assert (await batch.sse_frames(EVERYTHING, 0)).count(b"data: ") == 3
    assert batch._frames  # the form of the whole batch is kept
    assert await batch.sse_frames(EVERYTHING, 2) == sse_frame(3, texts[2])


async def test_who_begins_before_what_is_kept_reads_the_ledger_first(client, monkeypatch):
    keep_one_batch(client, monkeypatch)
    async with listening(client) as ahead:
        for _ in range(3):
            await append(client, 2)
            await take(ahead, 2)
        everything = await whole(client)
        async with listening(client, cursor="start") as late:
            assert [event for _, event in await take(late, len(everything))] == everything


async def test_a_payload_that_was_erased_is_in_no_stream_that_begins_later(client, dsn, monkeypatch):
    """Neither before the tail has read the erasure, nor then."""
    tail = client.app[RESOURCES].tail
    read, may_read = tail._form.read, asyncio.Event()
    may_read.set()

    async def read_if_allowed(reader, position):
        await may_read.wait()
        return await read(reader, position)

    monkeypatch.setattr(tail, "_form", tail._form._replace(read=read_if_allowed))
    async with listening(client) as ahead:
        await append(client, 1)  # may come before the tail has begun
        ((before, _),) = await take(ahead, 1)
        (position,) = await append(client, 1)
        ((_, event),) = await take(ahead, 1)
        assert event["payload"] is not None
        assert tail.next_after(position - 1).batch
        may_read.clear()
        await erase_payloads(dsn, position, "article 17")
        shown = (await whole(client))[position - 1 :]
        assert [(event["kind"], event["payload"] is None) for event in shown] == [
            ("transition", True),
            ("erased", False),
        ]
        async with listening(client, cursor=before) as late:
            assert [event for _, event in await take(late, 2)] == shown
        may_read.set()
        ((_, erasure),) = await take(ahead, 1)
        assert erasure == shown[1]
        assert tail.next_after(position - 1).behind  # the batch with the payload is not kept
        async with listening(client, cursor=before) as late:
            assert [event for _, event in await take(late, 2)] == shown


async def test_a_hundred_listeners_cost_one_query_a_batch(client, monkeypatch):
    tail = client.app[RESOURCES].tail
    looks = []

    read = tail._form.read

    async def counted(audit, position):
        found = await read(audit, position)
        if found is not None:
            looks.append(found.upto - found.after)
        return found

    monkeypatch.setattr(tail, "_form", tail._form._replace(read=counted))
    client.session._connector._limit = 0

    async def listen(ready):
        async with listening(client) as events:
            ready.release()
            return [event["position"] for _, event in await take(events, 20)]

    ready = asyncio.Semaphore(0)
    listeners = [asyncio.create_task(listen(ready)) for _ in range(100)]
    for _ in listeners:
        await ready.acquire()
    positions = await append(client, 20)
    found = await asyncio.gather(*listeners)
    assert all(one == sorted(positions) for one in found)
    assert sum(looks) == 20


async def test_the_more_listeners_there_are_the_fewer_batches_are_made(client, monkeypatch):
    monkeypatch.setattr(tail_batch, "_PAUSE_PER_LISTENER_S", 0.1)
    clock, sizes = asyncio.get_running_loop().time, []
    retain = LedgerTail._retain
    monkeypatch.setattr(
        LedgerTail, "_retain", lambda tail, batch: sizes.append(batch.upto - batch.after) or retain(tail, batch)
    )
    async with listening(client) as one, listening(client) as other:
        began = clock()
        for _ in range(50):
            await append(client, 1)
        assert len(await take(one, 50)) == len(await take(other, 50)) == 50
        passed = clock() - began
    assert 0 < sum(sizes) <= 50  # a listener may read the first ones from the ledger itself
    assert len(sizes) <= passed / 0.2 + 2


async def test_silence_is_filled_with_heartbeats(client, monkeypatch):
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.05)
    async with client.get(URL) as answer:
        await answer.content.readuntil(b"\n\n")
        beat = await answer.content.readuntil(b"\n\n")
        assert beat.startswith(b": heartbeat\nid: ")


async def test_a_busy_ledger_does_not_keep_heartbeats_from_a_filtered_listener(client, monkeypatch):
    """The heartbeat follows the last write, not the last event; a client that resumes from it scans nothing again."""
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.3)
    stop = asyncio.Event()

    async def keep_busy():
        while not stop.is_set():
            await append(client, 5)

    busy = asyncio.create_task(keep_busy())
    try:
        async with client.get(URL, params={"actor": "nobody"}) as answer, asyncio.timeout(5):
            first = await answer.content.readuntil(b"\n\n")
            beats = [await answer.content.readuntil(b"\n\n") for _ in range(2)]
    finally:
        stop.set()
        await busy
    cursors = [beat.decode().splitlines()[1].removeprefix("id: ") for beat in beats]
    assert [beat.decode().splitlines()[0] for beat in beats] == [": heartbeat"] * 2
    began = int(first.split()[-1])
    positions = [decode_position(cursor).position for cursor in cursors]
    assert began < positions[0] < positions[1]
    async with client.get(URL, headers={"Last-Event-ID": cursors[1]}) as answer:
        assert int((await answer.content.readuntil(b"\n\n")).split()[-1]) == positions[1]


async def test_a_listener_that_left_is_noticed_at_once(client):
    tail = client.app[RESOURCES].tail
    async with client.get(URL) as answer:
        await answer.content.readuntil(b"\n\n")
        assert tail.listeners == 1
        answer.close()

    async def gone():
        return tail.listeners == 0

    await wait_until(gone, "the listener is gone", event_stream.HEARTBEAT_S / 3)


async def test_the_frames_that_are_kept_for_filters_are_bounded_in_bytes():
    fields = FilteredFields("run", uuid4(), "transition", "RUNNING", "api", None, None, None)
    batch = TailBatch(0, 10, [RecordedEvent(position, fields, b"x" * 1000) for position in range(1, 11)])
    every = [EventFilters(actor=None, kinds=("transition", str(n))) for n in range(100)]
    frames = {await batch.sse_frames(filters, 0) for filters in every}
    assert len(frames) == 1
    assert sum(map(len, batch._frames.values())) <= 2 * batch.size


def test_filters_with_the_same_words_are_the_same():
    route = next(route for route in event_stream.ROUTES)
    found = set()
    for query in ("kind=transition,facts&state=NEW,RUNNING", "state=RUNNING&state=NEW&kind=facts,transition"):
        request = make_mocked_request("GET", f"/?{query}")
        found.add(event_filters(RequestParameters(request, route), None))
    assert len(found) == 1


async def test_who_does_not_read_is_cut_off_and_keeps_nobody_waiting(client, monkeypatch):
    monkeypatch.setattr(unread_answers, "LOOK_S", 0.1)
    monkeypatch.setattr(unread_answers, "STALLED_S", 0.3)
    reader, writer = await asyncio.open_connection(client.host, client.port, limit=1024)
    writer.transport.pause_reading()
    writer.write(f"GET {URL}?cursor=start HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    tail = client.app[RESOURCES].tail
    async with listening(client) as events:
        async with asyncio.timeout(60):
            count = 0
            while tail.listeners != 1 or count < 2000:
                await append(client, 500)
                await take(events, 500)
                count += 500
    writer.close()
    assert reader is not None


async def test_listeners_are_let_go_when_the_service_stops(client):
    async with client.get(URL) as answer:
        await answer.content.readuntil(b"\n\n")
        async with asyncio.timeout(5):
            await client.server.close()
        assert await answer.content.read() == b""


async def test_the_last_listener_leaves_nothing_behind(client):
    async with listening(client) as events:
        await append(client, 3)
        await take(events, 3)
    tail = client.app[RESOURCES].tail
    await append(client, 1)
    async with listening(client, cursor="start") as events:
        assert (await take(events, 1))[0][1]["position"] == 1
    assert isinstance(tail, LedgerTail)


@pytest.mark.parametrize("param", ["since", "until"])
async def test_a_stream_has_no_bounds_in_time(client, param):
    answer = await client.get(URL, params={param: "2024-01-01T00:00:00Z"})
    assert answer.status == 400


async def test_head_says_what_get_would_and_ends(client):
    for path in ("/events/stream", "/events"):
        answer = await client.head(f"/api/v1{path}", headers={"Accept": "application/x-ndjson"})
        assert answer.status == 200
    assert (await client.head(URL, params={"cursor": "nowhere"})).status == 400

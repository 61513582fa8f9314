"""GET /events/lineage: the events as they were sent, by their own time."""

import json
import os
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from aiohttp import ClientPayloadError
from hypothesis import strategies as st
from lineage_client import BATCH, EVENTS, NDJSON, SCHEMA, event, get, send

from service.catalog.lineage_events import LineageEventReader, LineageFilter
from service.catalog.queries import Slice
from service.database.connections import Connections
from service.errors import Unavailable


def events_of_names(at, namespace):
    """Return a JobEvent and a DatasetEvent."""
    told = {"eventTime": at, "producer": "https://example.com"}
    return [
        json.dumps(told | {"schemaURL": f"{SCHEMA}{kind}Event", kind.lower(): {"namespace": namespace, "name": "it"}})
        for kind in ("Job", "Dataset")
    ]


async def test_events_are_listed_as_sent_by_their_own_time(client):
    times = ["2024-02-01T00:00:02Z", "2024-02-01T02:00:00+02:00", "2024-01-31T23:59:59.5Z", "2024-02-01T00:00:02Z"]
    sent = [event(at=at, run=uuid4()) for at in times]
    for one in sent:
        await send(client, one)
    async with client.get(EVENTS, params={"sortDirection": "asc"}) as response:
        in_order = [sent[2], sent[1], sent[0], sent[3]]
        assert await response.text() == f'{{"totalCount":4,"events":[{",".join(in_order)}]}}\n'
    found = await get(client, EVENTS, limit=2, offset=1)
    assert found == {"totalCount": 4, "events": [json.loads(sent[0]), json.loads(sent[1])]}
    found = await get(client, EVENTS, after="2024-02-01T00:00:00Z", before="2024-02-01T00:00:02Z")
    assert found == {"totalCount": 1, "events": [json.loads(sent[1])]}
    assert await get(client, EVENTS, namespace="other") == {"totalCount": 0, "events": []}


async def test_events_of_jobs_and_datasets_are_not_listed(client):
    """As in Marquez, whose interface shows the run of each event."""
    sent = [event(at="2024-02-01T00:00:01Z"), event(at="2024-02-01T00:00:03Z", run=uuid4())]
    others = events_of_names("2024-02-01T00:00:02Z", "ns")
    for one in (*sent, *others):
        await send(client, one)
    for query in ({}, {"namespace": "ns"}):
        found = await get(client, EVENTS, sortDirection="asc", **query)
        assert found == {"totalCount": 2, "events": [json.loads(one) for one in sent]}


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
        assert await response.text() == f'{{"totalCount":60,"events":[{",".join(sent)}]}}\n'


@pytest.mark.parametrize("text", ["x" * 3_000_000, os.urandom(1_500_000).hex()], ids=["compressed", "incompressible"])
async def test_however_large_events_are_no_more_than_a_few_megabytes_are_read_at_once(client, dsn, text):
    sent = [event(run=uuid4(), f=text) for _ in range(20)]
    assert (await send(client, "\n".join(sent), BATCH, NDJSON))[0] == 204
    async with Connections(dsn) as opened:
        lineage = LineageEventReader(opened)
        positions = await lineage.positions(LineageFilter(None, None, None), Slice(100, 0), descending=False)
        pieces = [piece.texts async for piece in lineage.pieces(positions)]
    assert sorted(text for piece in pieces for text in piece) == sorted(sent)
    assert all(0 < len(piece) <= 2 for piece in pieces)


async def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(client, monkeypatch):
    sent = [event(run=uuid4(), f="x" * 3_000_000) for _ in range(8)]
    assert (await send(client, "\n".join(sent), BATCH, NDJSON))[0] == 204
    real = LineageEventReader.pieces

    async def pieces(self, positions):
        async for piece in real(self, positions[:4]):
            yield piece
        raise Unavailable("the database is away")

    monkeypatch.setattr(LineageEventReader, "pieces", pieces)
    with pytest.raises(ClientPayloadError):
        await (await client.get(EVENTS)).read()


moments = st.integers(0, 4 * 3600).map(lambda seconds: datetime(2024, 2, 1, tzinfo=UTC) + timedelta(seconds=seconds))


async def test_total_counts_are_exact_for_any_bounds_folded_or_not(client):
    clock = [datetime(2024, 2, 1, tzinfo=UTC) + timedelta(minutes=10 * n) for n in range(25)]
    spaces = [f"ns{n % 3}" for n in range(25)]
    for half in (slice(0, 12), slice(12, 25)):
        sent = [
            event(at=at.isoformat(), run=uuid4(), namespace=space)
            for at, space in zip(clock[half], spaces[half], strict=True)
        ]
        for at, space in zip(clock[half], spaces[half], strict=True):
            sent += events_of_names(at.isoformat(), space)
        await send(client, "\n".join(sent), BATCH, NDJSON)
        if half.start == 0:
            await get(client, "/api/v1/namespaces")  # the first half is projected, the rest perhaps not
    bounds = [None, clock[0], clock[3], clock[3] + timedelta(seconds=1), clock[5], clock[6], clock[23], clock[24]]
    for after in bounds:
        for before in bounds:
            for space in (None, "ns1"):
                query = {
                    "after": after and after.isoformat(),
                    "before": before and before.isoformat(),
                    "namespace": space,
                }
                found = await get(client, EVENTS, limit=0, **{k: v for k, v in query.items() if v})
                expected = sum(
                    (after is None or at >= after) and (before is None or at < before) and space in (None, of)
                    for at, of in zip(clock, spaces, strict=True)
                )
                assert found["totalCount"] == expected, query

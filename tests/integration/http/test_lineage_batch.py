"""OpenLineage in batches and streams: what is recorded, and how the rest is reported."""

import asyncio
import gzip
import json
import zlib

import pytest
from lineage_client import BATCH, GZIP, NDJSON, bodies, event, head, many, recorded_events, send
from waiting import wait_until


async def test_a_batch_that_was_recorded_whole_is_answered_204(client, db):
    assert await send(client, f"[{','.join(many(1200))}]", BATCH) == (204, b"")
    assert await send(client, "[]", BATCH) == (204, b"")
    assert await send(client, b"", BATCH, NDJSON) == (204, b"")
    assert await db.fetchval("select count(*) from runfold.events where source = 'openlineage'") == 1200


async def test_the_events_of_a_run_are_recorded_in_the_order_of_the_stream(client, db):
    """Parts of a stream are appended at the same time; those with events of the same run are not."""
    run = "870492da-ecfb-4be0-91b9-9a89ddd3db90"
    lines = [event(run=run, event_type="RUNNING", f=number) for number in range(2500)]
    assert await send(client, "\n".join(lines), BATCH, NDJSON) == (204, b"")
    assert (await bodies(db))[-len(lines) :] == lines


async def test_a_batch_says_which_events_were_not_recorded_and_records_the_others(client, db):
    good = many(3)
    status, body = await send(client, f'[{good[0]}, 5, {good[1]}, {{"eventTime":"x"}}, {good[2]}]', BATCH)
    assert status == 200
    report = json.loads(body)
    assert report["status"] == "partial_success"
    assert report["summary"] == {"received": 5, "successful": 3, "failed": 2, "retriable": 0, "non_retriable": 2}
    assert [(one["index"], one["retriable"]) for one in report["failed_events"]] == [(1, False), (3, False)]
    assert "producer" in report["failed_events"][1]["reason"]
    assert (await bodies(db))[-3:] == good


async def test_of_many_failures_the_first_thousand_are_told_and_all_are_counted(client):
    _, body = await send(client, "[" + ",".join(["{}"] * 3000) + "]", BATCH)
    report = json.loads(body)
    assert report["summary"]["failed"] == 3000
    assert [one["index"] for one in report["failed_events"]] == list(range(1000))


@pytest.mark.parametrize("body", [b"", b"{}", b"[{}", b"5", b"[1,]", b"[\xff\\]", b"[" * 5000])
async def test_what_is_no_array_is_no_batch(client, body):
    assert (await send(client, body, BATCH))[0] == 400


@pytest.mark.parametrize("form", ["array", "lines"])
@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
async def test_of_a_batch_with_nan_only_the_events_that_have_it_are_refused(client, db, form, constant):
    """Python writes such numbers, which JSON does not have; where the events end is certain all the same."""
    good, run = many(3), "870492da-ecfb-4be0-91b9-9a89ddd3db90"
    bad = [
        event(run=run, f=float(constant)),
        event(run=run, f={"a": ["}],NaN", {"b": [float(constant), 1]}]}),
        constant,
    ]
    assert all(constant in one for one in bad)
    sent = [good[0], bad[0], bad[1], good[1], bad[2], good[2]]
    array = form == "array"
    body = "[" + " ,\n".join(sent) + " ]" if array else "\n".join(sent)
    status, answer = await send(client, body, BATCH, *(() if array else (NDJSON,)))
    report = json.loads(answer)
    assert (status, report["summary"]["successful"], report["summary"]["non_retriable"]) == (200, 3, 3)
    assert [one["index"] for one in report["failed_events"]] == [1, 2, 4]
    assert all(f"{constant} is not JSON" in one["reason"] for one in report["failed_events"][:2])
    assert (await bodies(db))[-3:] == good


@pytest.mark.parametrize("element", ["nan", "-NaN", "NaN1", '{"a":NaN', "NaN NaN", '{"a":NaN]}', "'NaN'"])
async def test_an_array_with_what_only_resembles_nan_is_broken_and_records_nothing(client, db, element):
    before = await head(db)
    assert (await send(client, f"[{event()},{element}]", BATCH))[0] == 400
    assert await head(db) == before


async def test_lines_are_told_by_their_number_and_blank_ones_passed_over(client, db):
    good = many(3)
    body = f"{good[0]}\n\n  \r\n{{broken\n{good[1]}\r\n\xe9\n{good[2]}".encode("latin-1")
    status, answer = await send(client, body, BATCH, NDJSON)
    report = json.loads(answer)
    assert status == 200
    assert [(one["index"], one["line"]) for one in report["failed_events"]] == [(1, 4), (3, 6)]
    assert report["summary"]["received"] == 5
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


async def test_a_connection_cut_in_mid_stream_leaves_what_was_complete_and_no_half_event(client, db):
    good = many(700)
    whole = "\n".join(good).encode()
    cut = len("\n".join(good[:600])) + 100
    _, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(
        b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n"
        % (BATCH.encode(), len(whole))
    )
    writer.write(whole[:cut])
    # A stream that pauses is not kept waiting: what came is recorded before it goes on.
    await wait_until(lambda: holds(db, 600), "600 events are recorded")
    writer.transport.abort()
    assert {one for one in await bodies(db) if "example.com" in one} == set(good[:600])
    assert (await send(client, whole, BATCH, NDJSON))[0] == 204
    assert await recorded_events(db) == 700

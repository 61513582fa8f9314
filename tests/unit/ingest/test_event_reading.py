"""A large event is read in a thread, with the same result, and small ones at once."""

import json
import threading

import pytest

from service.domain import timestamps
from service.errors import Malformed
from service.ingest import event_reading
from service.payloads.event_slices import LeftOut
from service.payloads.openlineage import Origin, read_lineage_event

ORIGIN, NOW = Origin("openlineage"), timestamps.now()


def body(size: int) -> bytes:
    event = {"eventTime": "2024-01-01T00:00:00Z", "producer": "tests", "run": {"runId": "a"},
             "job": {"namespace": "etl", "name": "load"}, "inputs": [{"namespace": "", "name": "x"}],
             "more": "\0" + "x" * size}  # fmt: skip
    return json.dumps(event).encode()


@pytest.mark.parametrize(("size", "in_thread"), [(10, False), (300_000, True)])
async def test_large_events_are_read_in_a_thread(monkeypatch, size, in_thread):
    threads = []

    def spied(*arguments):
        threads.append(threading.get_ident())
        return read_lineage_event(*arguments)

    monkeypatch.setattr(event_reading, "read_lineage_event", spied)
    left_out, counted = LeftOut(), LeftOut()
    draft = await event_reading.read_event(body(size), ORIGIN, NOW, left_out)
    assert draft == read_lineage_event(body(size), ORIGIN, NOW, counted)
    assert left_out == counted == {"dataset": 1}
    assert (threads[0] != threading.get_ident()) is in_thread


async def test_an_error_in_a_large_event_is_raised():
    with pytest.raises(Malformed):
        await event_reading.read_event(b"[" + b" " * 300_000, ORIGIN, NOW)

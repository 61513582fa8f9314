"""Sends more OpenLineage events than a service can record, without waiting for answers, and measures the answers.

A program of its own, so that its work is not counted as that of the service or of a test: it reads a `Plan` as JSON
from standard input, and prints `Flooded` as JSON. Each event is the start of a new run. During the overload, requests
are due at even intervals, whatever the answers (open loop). An answer is timed from the moment at which its request was
sent. How much later than due it was sent is counted, too: this program shares the machine with the service.
"""

from __future__ import annotations

import asyncio
import sys
import time
from array import array
from collections import Counter, deque
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

import msgspec
import uvloop

CREATED, UNAVAILABLE = 201, 503

_TICK_S = 0.001
_MOST_DUE = 200_000
LAST_S = 10.0
"""Seconds that the last answers may take."""

_LENGTH = b"Content-Length: "
_clock = time.perf_counter


class Plan(msgspec.Struct, frozen=True):
    """Where to send, with which API key; how long for each part, in seconds; how many times the capacity to offer."""

    port: int
    secret: str
    at_capacity_s: float
    overload_s: float
    afterwards_s: float
    times: float
    clients: int = 64
    connections: int = 1000


class Times(msgspec.Struct):
    """Answers of a status: their number, and quantiles of the times that they took, in milliseconds."""

    count: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    p999_ms: float = 0.0
    longest_ms: float = 0.0


class Part(msgspec.Struct):
    """A part of a plan: its duration, the requests that were due each second, and the answers by status.

    `at` is the time of the process's clock (time.monotonic) at its beginning. `unsent`: requests that were due when all
    connections waited for answers; `broken`: connections that ended; `late_ms`: how much later than due requests were
    sent, as the 99th percentile. `taken_s`: seconds after which every request was recorded; `settled_s`: and answered
    in the time that 99 of 100 requests took at capacity, or in 20 ms.
    """

    at: float
    seconds: float
    due: float
    answers: dict[int, Times]
    unsent: int
    broken: int
    wrong: int
    late_ms: float
    taken_s: float
    settled_s: float


class Flooded(msgspec.Struct):
    """The parts: 64 clients which wait for answers, the overload, a request every 10 ms after it; and all answers."""

    at_capacity: Part
    overload: Part
    afterwards: Part
    totals: dict[int, int]


class _Flood:
    """All connections, and what their answers are counted into."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.closed_loop = False
        self.totals: Counter[int] = Counter()
        self.idle: deque[_Connection] = deque()
        self.soon_s = 0.02
        self.begin()
        stamp, self._series = datetime.now(UTC).isoformat(), token_hex(10)
        self._number = 0
        before, after = _event(stamp, self._series)
        size = len(before) + 12 + len(after)
        head = (
            f"POST /api/v1/lineage HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {plan.secret}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
        )
        self._before, self._after = head.encode() + before, after

    def begin(self) -> None:
        """Forget what was counted."""
        self.times: dict[int, array[float]] = {}
        self.late = array("d")
        self.due: deque[float] = deque()
        self.broken = self.wrong = 0
        self.refused_at = self.unsettled_at = 0.0

    def request(self) -> bytes:
        """Return the next request."""
        self._number += 1
        return b"%b%012x%b" % (self._before, self._number, self._after)

    def send(self, due: float) -> None:
        """Send a request on an idle connection, or as soon as there is one."""
        if self.idle:  # the one that was idle the longest
            self.idle.popleft().send(due)
        elif len(self.due) < _MOST_DUE:
            self.due.append(due)

    def answered(self, connection: _Connection, status: int, sent: float) -> None:
        """Count an answer, and use its connection for the next request."""
        now = _clock()
        took = now - sent
        times = self.times.get(status)
        if times is None:
            times = self.times[status] = array("d")
        times.append(took)
        self.totals[status] += 1
        if status != CREATED:
            self.refused_at = self.unsettled_at = now
        elif took > self.soon_s:
            self.unsettled_at = now
        if self.closed_loop:
            connection.send(now)
        elif self.due:
            connection.send(self.due.popleft())
        else:
            self.idle.append(connection)

    async def connect(self, count: int) -> None:
        """Open this many more connections."""
        loop = asyncio.get_running_loop()
        for _ in range(count):
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.plan.port)

    async def wait_for_clients(self, seconds: float) -> Part:
        """Send a request on each idle connection, and the next one after each answer."""
        self.begin()
        self.closed_loop, began, at = True, _clock(), time.monotonic()
        clients = list(self.idle)
        self.idle.clear()
        for connection in clients:
            connection.send(began)
        await asyncio.sleep(seconds)
        self.closed_loop = False
        part = self._part(at, began, sum(map(len, self.times.values())) / (_clock() - began), seconds)
        await self._rest(len(clients))
        return part

    async def offer(self, rate: float, seconds: float) -> Part:
        """Send requests at even intervals, whatever the answers."""
        self.begin()
        began, at, sent, connections = _clock(), time.monotonic(), 0, len(self.idle)
        while (now := _clock()) - began < seconds:
            due = int((now - began) * rate)
            for number in range(sent, due):
                self.send(began + number / rate)
            sent = max(sent, due)
            await asyncio.sleep(_TICK_S)
        unsent = len(self.due)
        self.due.clear()
        await self._rest(connections)
        part = self._part(at, began, sent / seconds, seconds)
        part.unsent = unsent
        return part

    async def _rest(self, connections: int) -> None:
        """Wait for the last answers."""
        end = _clock() + LAST_S
        while len(self.idle) < connections - self.broken and _clock() < end:  # noqa: ASYNC110  ends by itself
            await asyncio.sleep(_TICK_S)

    def _part(self, at: float, began: float, due: float, seconds: float) -> Part:
        return Part(
            at=at,
            seconds=seconds,
            due=due,
            answers={status: _times(times) for status, times in self.times.items()},
            unsent=0,
            broken=self.broken,
            wrong=self.wrong,
            late_ms=_times(self.late).p99_ms,
            taken_s=max(0.0, self.refused_at - began),
            settled_s=max(0.0, self.unsettled_at - began),
        )


class _Connection(asyncio.Protocol):
    """A connection with one request under way at most."""

    __slots__ = ("_flood", "_received", "_sent", "_transport")

    def __init__(self, flood: _Flood) -> None:
        self._flood = flood
        self._sent = 0.0
        self._received = b""

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401  uvloop's
        self._transport = transport
        self._flood.idle.append(self)

    def send(self, due: float) -> None:
        self._sent = _clock()
        self._flood.late.append(self._sent - due)
        self._transport.write(self._flood.request())

    def data_received(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        end, field = data.find(b"\r\n\r\n"), data.find(_LENGTH)
        if end < 0 or len(data) < end + 4 + int(data[field + len(_LENGTH) : data.find(b"\r", field)]):
            self._received = data
            return
        self._received = b""
        status = int(data[9:12])
        if status == UNAVAILABLE and b"Retry-After: " not in data:
            self._flood.wrong += 1
        self._flood.answered(self, status, self._sent)

    def connection_lost(self, _error: Exception | None) -> None:
        self._flood.broken += 1


def _times(times: array[float]) -> Times:
    ordered = sorted(times)
    if not ordered:
        return Times()

    def quantile(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3

    return Times(len(ordered), quantile(0.5), quantile(0.99), quantile(0.999), ordered[-1] * 1e3)


def _event(stamp: str, series: str) -> tuple[bytes, bytes]:
    """Return an event before and after the last 12 digits of its run's id."""
    run = f"{series[:8]}-{series[8:12]}-4{series[12:15]}-a{series[15:18]}-"
    event = {
        "eventTime": stamp,
        "eventType": "START",
        "run": {"runId": run + "#"},
        "job": {"namespace": "flood", "name": "load"},
        "producer": "https://runfold.example/flood",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }
    before, _, after = msgspec.json.encode(event).replace(b"#/$", b"\0").partition(b"#")
    return before, after.replace(b"\0", b"#/$")


async def flood(plan: Plan) -> Flooded:
    """Carry out a plan."""
    flood = _Flood(plan)
    await flood.connect(plan.clients)
    await flood.wait_for_clients(plan.at_capacity_s / 4)  # warms up
    at_capacity = await flood.wait_for_clients(plan.at_capacity_s)
    flood.soon_s = max(flood.soon_s, at_capacity.answers.get(CREATED, Times()).p99_ms / 1e3)
    await flood.connect(plan.connections - plan.clients)
    await flood.offer(plan.connections, 1)  # so that the service has accepted every connection
    overload = await flood.offer(at_capacity.due * plan.times, plan.overload_s)
    afterwards = await flood.offer(100, plan.afterwards_s)
    return Flooded(at_capacity, overload, afterwards, dict(flood.totals))


if __name__ == "__main__":
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(flood(plan))))

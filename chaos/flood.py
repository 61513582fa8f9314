"""Sends more OpenLineage events than a service can record, without waiting for answers, and measures the answers.

A program of its own, so that its work is not counted as that of the service or of a test: it reads a `Plan` as JSON
from standard input, and prints `Flooded` as JSON. Each event is the start of a new run. During the overload, requests
are due at even intervals, whatever the answers (open loop).

It shares the machine with the service. So it does as little as it can for each request, and its own delays are not
counted as the service's: an answer is timed from the moment before its request is written to the moment at which the
kernel put the answer into the socket's buffer (SO_TIMESTAMPNS), however late it is read. How much later than due
requests were sent, and how late answers were read, is counted, too.
"""

from __future__ import annotations

import gc
import select
import socket
import struct
import sys
import time
from array import array
from bisect import bisect_right
from collections import Counter, deque
from datetime import UTC, datetime
from secrets import token_hex
from statistics import fmean

import msgspec

from chaos import processes

CREATED, UNAVAILABLE = 201, 503

LAST_S = 10.0
"""Seconds that the last answers may take."""

SOON_S = 0.02
FIRST_S = 1.0

_TICK_S = 0.001
_MOST_READ = 64
"""Answers that are read before the requests are sent that have become due in the meantime."""

_SO_TIMESTAMPNS = 35
"""Linux's option, which the socket module does not name."""

_STAMP = struct.Struct("qq")
_STAMP_BYTES = socket.CMSG_SPACE(_STAMP.size)
_ANSWER_BYTES = 16 * 1024
_LENGTH = b"Content-Length: "

_clock = time.time
"""The clock of the kernel's stamps."""


class Plan(msgspec.Struct, frozen=True):
    """Where to send, with which API key; how long for each part, in seconds; how many times the capacity to offer.

    `processes`: the ids of the processes that answer.
    """

    port: int
    secret: str
    processes: list[int]
    at_capacity_s: float
    rest_s: float
    overload_s: float
    afterwards_s: float
    times: float
    clients: int = 64
    connections: int = 1000


class Times(msgspec.Struct):
    """Answers of a status: their number, and quantiles of the times that they took, in milliseconds.

    `soon`: the share of them that took SOON_S at most.
    """

    count: int = 0
    p50_ms: float = 0.0
    p90_ms: float = 0.0
    p99_ms: float = 0.0
    p999_ms: float = 0.0
    longest_ms: float = 0.0
    soon: float = 1.0


class Part(msgspec.Struct):
    """A part of a plan: its duration, the requests that were due each second, and the answers by status.

    `first`: those to requests of the first second of an overload, in which it is noticed; `answers`: all others.
    `unsent`: requests that were not sent because all connections waited for answers when they were due; `broken`:
    connections that ended; `wrong`: answers 503 without Retry-After; `late_ms`: how much later than due requests were
    sent, and `unread_ms`: how long answers waited to be read, as 99th percentiles; `cores`: the CPU time that this
    program took, per second; `waited`: the share of the time for which the service was ready and had no processor.
    `taken_s`: seconds after which every request was recorded; `settled_s`: and answered in
    the time that 99 of 100 requests took at capacity, or in SOON_S.
    """

    seconds: float
    due: float
    answers: dict[int, Times]
    first: dict[int, Times]
    unsent: int
    broken: int
    wrong: int
    late_ms: float
    unread_ms: float
    cores: float
    waited: float
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
        self.totals: Counter[int] = Counter()
        self.soon_s = SOON_S
        self._closed_loop = False
        self._idle: deque[_Connection] = deque()
        self._open: dict[int, _Connection] = {}
        self._poll = select.epoll()
        self._begin()
        stamp, self._series = datetime.now(UTC).isoformat(), token_hex(10)
        self._number = 0
        before, after = _event(stamp, self._series)
        size = len(before) + 12 + len(after)
        head = (
            f"POST /api/v1/lineage HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {plan.secret}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
        )
        self._before, self._after = head.encode() + before, after

    def _begin(self) -> None:
        """Forget what was counted."""
        self._times: dict[int, array[float]] = {}
        self._first: dict[int, array[float]] = {}
        self._late, self._unread = array("d"), array("d")
        self._broken = self._wrong = 0
        self._refused_at = self._unsettled_at = 0.0
        self._first_until = 0.0
        self._began, self._began_cpu, self._began_waiting = _clock(), time.process_time(), self._waited()

    def connect(self, count: int) -> None:
        """Open this many more connections."""
        for _ in range(count):
            made = _Connection(self.plan.port)
            self._open[made.socket.fileno()] = made
            self._poll.register(made.socket, select.EPOLLIN)
            self._idle.append(made)

    def wait_for_clients(self, seconds: float) -> Part:
        """Send a request on each idle connection, and the next one after each answer."""
        self._begin()
        self._closed_loop, end = True, self._began + seconds
        clients = list(self._idle)
        self._idle.clear()
        for connection in clients:
            self._send(connection, _clock())
        while _clock() < end:
            self._receive(end)
        self._closed_loop = False
        part = self._part(sum(map(len, self._times.values())) / seconds, seconds, self._used(seconds))
        self._rest()
        return part

    def offer(self, rate: float, seconds: float, first_s: float = 0.0) -> Part:
        """Send requests at even intervals, whatever the answers. Those of `first_s` are counted by themselves."""
        self._begin()
        self._first_until = self._began + first_s
        sent = unsent = 0
        while (passed := _clock() - self._began) < seconds:
            due = int(passed * rate)
            for number in range(sent, due):
                if self._idle:  # the one that was idle the longest
                    self._send(self._idle.popleft(), self._began + number / rate)
                else:
                    unsent += 1
            sent = max(sent, due)
            self._receive(self._began + max((sent + 1) / rate, passed + _TICK_S))
        used = self._used(seconds)
        self._rest()
        part = self._part(sent / seconds, seconds, used)
        part.unsent = unsent
        return part

    def _rest(self) -> None:
        """Wait for the last answers."""
        end = _clock() + LAST_S
        while len(self._idle) < len(self._open) and _clock() < end:
            self._receive(end)

    def _send(self, connection: _Connection, due: float) -> None:
        self._number += 1
        sent = connection.send(b"%b%012x%b" % (self._before, self._number, self._after))
        self._late.append(sent - due)

    def _receive(self, until: float) -> None:
        """Wait for answers until a time at most, and read those that are there."""
        for descriptor, _ in self._poll.poll(max(0.0, until - _clock()), _MOST_READ):
            connection = self._open[descriptor]
            try:
                received = connection.receive()
            except ConnectionError:
                self._broken += 1
                del self._open[descriptor]
                connection.socket.close()
                continue
            if received:
                self._count(connection, received)
                if self._closed_loop:
                    self._send(connection, _clock())
                else:
                    self._idle.append(connection)

    def _count(self, connection: _Connection, received: float) -> None:
        """Count an answer."""
        status, took = connection.status, received - connection.sent
        answers = self._times if connection.sent >= self._first_until else self._first
        times = answers.get(status)
        if times is None:
            times = answers[status] = array("d")
        times.append(took)
        self._unread.append(_clock() - received)
        self.totals[status] += 1
        self._wrong += connection.wrong
        if status != CREATED:
            self._refused_at = self._unsettled_at = received
        elif took > self.soon_s:
            self._unsettled_at = received

    def _waited(self) -> float:
        """Return for how many seconds the service was ready and had no processor: the mean of its processes."""
        return fmean(map(processes.waited, self.plan.processes))

    def _used(self, seconds: float) -> tuple[float, float]:
        """Return the `cores` and `waited` of a part that has ended."""
        cpu, waited = time.process_time() - self._began_cpu, self._waited() - self._began_waiting
        return cpu / seconds, waited / seconds

    def _part(self, due: float, seconds: float, used: tuple[float, float]) -> Part:
        return Part(
            seconds=seconds,
            due=due,
            answers={status: _quantiles(times) for status, times in self._times.items()},
            first={status: _quantiles(times) for status, times in self._first.items()},
            unsent=0,
            broken=self._broken,
            wrong=self._wrong,
            late_ms=_quantiles(self._late).p99_ms,
            unread_ms=_quantiles(self._unread).p99_ms,
            cores=used[0],
            waited=used[1],
            taken_s=max(0.0, self._refused_at - self._began),
            settled_s=max(0.0, self._unsettled_at - self._began),
        )


class _Connection:
    """A connection with one request under way at most: when that was sent, and what its answer is."""

    __slots__ = ("_begun", "_last", "sent", "socket", "status", "wrong")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0.0
        self.status, self.wrong = 0, False
        self._begun = self._last = b""

    def send(self, request: bytes) -> float:
        """Send a request, and return when. It is shorter than the socket's buffer, which is empty."""
        self.sent = sent = _clock()
        self.socket.sendall(request)
        return sent

    def receive(self) -> float:
        """Return when the kernel received the last part of an answer; 0 if it is not complete."""
        data, ((_, _, stamp), *_), _, _ = self.socket.recvmsg(_ANSWER_BYTES, _STAMP_BYTES)
        if data != self._last:  # refusals are all the same
            if not data:
                raise ConnectionResetError
            data = self._begun + data
            end, field = data.find(b"\r\n\r\n"), data.find(_LENGTH)
            if end < 0 or len(data) < end + 4 + int(data[field + len(_LENGTH) : data.find(b"\r", field)]):
                self._begun = data
                return 0.0
            self._begun = b""
            self.status = int(data[9:12])
            self.wrong = self.status == UNAVAILABLE and b"Retry-After: " not in data
            self._last = data if self.status == UNAVAILABLE else b""
        seconds, nanoseconds = _STAMP.unpack(stamp)
        return float(seconds + nanoseconds * 1e-9)


def _quantiles(times: array[float]) -> Times:
    ordered = sorted(times)
    if not ordered:
        return Times()

    def quantile(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3

    soon = bisect_right(ordered, SOON_S) / len(ordered)
    return Times(len(ordered), quantile(0.5), quantile(0.9), quantile(0.99), quantile(0.999), ordered[-1] * 1e3, soon)


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


def flood(plan: Plan) -> Flooded:
    """Carry out a plan."""
    flood = _Flood(plan)
    flood.connect(plan.clients)
    flood.wait_for_clients(plan.at_capacity_s / 4)  # warms up
    at_capacity = flood.wait_for_clients(plan.at_capacity_s)
    flood.soon_s = max(SOON_S, at_capacity.answers.get(CREATED, Times()).p99_ms / 1e3)
    flood.connect(plan.connections - plan.clients)
    flood.offer(plan.connections, 1)  # so that the service has accepted every connection
    flood.offer(100, plan.rest_s)  # so that what was recorded at capacity is projected
    overload = flood.offer(at_capacity.due * plan.times, plan.overload_s, FIRST_S)
    afterwards = flood.offer(100, plan.afterwards_s)
    return Flooded(at_capacity, overload, afterwards, dict(flood.totals))


if __name__ == "__main__":
    gc.disable()  # it makes no cycles
    sys.stdout.buffer.write(msgspec.json.encode(flood(msgspec.json.decode(sys.stdin.buffer.read(), type=Plan))))

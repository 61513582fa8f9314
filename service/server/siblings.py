"""Lets a worker answer /metrics for all workers: the parent process passes questions and reports on.

Each worker has a pair of sockets with the parent, so no port, path or right is needed. A worker asks the parent, with
its own report; the parent asks the other workers and answers with their reports. It remembers the last report of each
worker: what a worker had counted when it ended stays in the sums, and a worker that does not answer in time is
represented by its last report, so counters never fall. Decision record: docs/decisions/0033-metrics-of-workers.md.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from contextlib import suppress
from itertools import count

import msgspec

from service.errors import Unavailable
from service.http.metric_reports import Gathered, Report, decode, encode, growing_only, merge

_ANSWER_S = 1.0
"""Seconds that the parent waits for the workers."""

_GATHER_S = 3.0
"""Seconds that a worker waits for the parent."""

_MAX_BYTES = 16 * 1024 * 1024
"""Largest message. A report takes 100 bytes for each series: 60 KiB for a service whose every route was requested."""

_LENGTH_BYTES = 4

_log = logging.getLogger(__name__)


class _Message(msgspec.Struct, array_like=True):
    """A message in either direction; `number` connects an answer of the parent with the question of a worker.

    To the parent: the report of a worker, asked for (0) or sent along with a question. To a worker: `gathered`, or,
    without it, the question for its report.
    """

    number: int
    report: bytes = b""
    gathered: Gathered | None = None


_encoder, _decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(_Message)


def _write(writer: StreamWriter, message: _Message) -> None:
    body = _encoder.encode(message)
    writer.write(len(body).to_bytes(_LENGTH_BYTES, "big") + body)


async def _read(reader: StreamReader) -> _Message:
    """Return the next message. Raises IncompleteReadError at the end, and ValueError for one that is too long."""
    length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
    if length > _MAX_BYTES:
        raise ValueError(f"a message has {length} bytes")
    return _decoder.decode(await reader.readexactly(length))


class WorkerSiblings:
    """The worker's side."""

    def __init__(self, connection: socket.socket) -> None:
        """Take the worker's socket of the pair."""
        self._socket = connection
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[Gathered]] = {}
        self._writer: StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, report: Callable[[], bytes]) -> None:
        """Answer the questions of the parent with `report`."""
        self._task = asyncio.create_task(self._run(report), name="siblings")

    async def close(self) -> None:
        """Close the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def gather(self, own: bytes) -> Gathered:
        """Return the reports of the other workers. Raises Unavailable."""
        if self._writer is None:
            raise Unavailable("the other workers cannot be asked for their metrics yet")
        number = next(self._numbers)
        answer: asyncio.Future[Gathered] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        _write(self._writer, _Message(number, own))
        try:
            async with asyncio.timeout(_GATHER_S):
                return await answer
        except TimeoutError:
            raise Unavailable("the other workers did not report their metrics in time") from None
        finally:
            del self._answers[number]

    async def _run(self, report: Callable[[], bytes]) -> None:
        reader, self._writer = await asyncio.open_connection(sock=self._socket)
        try:
            with suppress(
                asyncio.IncompleteReadError, ConnectionError
            ):  # the parent has ended, and so will this process
                while True:
                    message = await _read(reader)
                    if message.gathered is None:
                        _write(self._writer, _Message(0, report()))
                    elif (answer := self._answers.get(message.number)) is not None and not answer.done():
                        answer.set_result(message.gathered)
        finally:
            self._writer.close()
            self._writer = None


class Link:
    """The parent's connection to one worker process."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.last_report = b""
        """The worker's latest report; empty if it has made none."""
        self.answer: asyncio.Future[None] | None = None
        """Done when the worker has answered the pending question."""
        self.task: asyncio.Task[None] | None = None

    def ask(self) -> asyncio.Future[None]:
        """Return the pending answer; ask if there is none, so that a worker that hangs is sent one question."""
        if self.answer is None or self.answer.done():
            self.answer = asyncio.get_running_loop().create_future()
            _write(self.writer, _Message(0))
        return self.answer

    def received(self, report: bytes) -> None:
        """Keep a report."""
        self.last_report = report
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(None)


class ReportExchange:
    """The parent's side."""

    def __init__(self, workers: int) -> None:
        """Take the number of workers that are to run."""
        self._workers = workers
        self._links: set[Link] = set()
        self._ended: Report = []
        self._restarts = 0
        self._questions: set[asyncio.Task[None]] = set()

    async def attach(self, connection: socket.socket) -> Link:
        """Serve the parent's socket of the pair of a new worker process."""
        link = Link(*await asyncio.open_connection(sock=connection))
        self._links.add(link)
        link.task = asyncio.create_task(self._serve(link), name="reports")
        return link

    async def detach(self, link: Link, *, replaced: bool) -> None:
        """Close the connection of a process that has ended, after what it sent; `replaced`: another one follows."""
        if link.task is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_ANSWER_S):
                    await link.task
            link.task.cancel()
        link.writer.close()
        self._links.discard(link)
        if link.last_report:
            self._ended = merge([self._ended, growing_only(decode(link.last_report))])
        self._restarts += replaced

    async def _serve(self, link: Link) -> None:
        """Handle the messages of a worker until it ends."""
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    message = await _read(link.reader)
                    if message.number:
                        link.last_report = message.report
                        question = asyncio.create_task(self._answer(link, message.number), name="gather")
                        self._questions.add(question)
                        question.add_done_callback(self._questions.discard)
                    else:
                        link.received(message.report)
        except (ValueError, msgspec.DecodeError) as error:
            _log.error("a worker's metrics cannot be read: %s", error)

    async def _answer(self, asking: Link, number: int) -> None:
        others = [link for link in self._links if link is not asking]
        answers = {link.ask(): link for link in others}
        done, _ = await asyncio.wait(answers, timeout=_ANSWER_S) if answers else (set(), None)
        # The report of one that has ended meanwhile is among those of the ended.
        reports = [link.last_report for link in others if link in self._links and link.last_report]
        if self._ended:
            reports.append(encode(self._ended))
        if not asking.writer.is_closing():
            _write(
                asking.writer, _Message(number, b"", Gathered(reports, self._workers, 1 + len(done), self._restarts))
            )

"""A proxy on a Unix socket in front of PostgreSQL's, which cuts, stalls or refuses connections on request.

A statement of the client is one write if it fits, and so is the server's answer. A connection that is cut in the middle
of a statement or before its answer arrives is therefore cut in the middle of a commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

_CHUNK = 65_536


class _Passage:
    """A connection of the service and the connection to PostgreSQL that it is forwarded to."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._hidden = False

    def cut(self) -> None:
        """Abort both connections."""
        for end in (self._client, self._server):
            end.transport.abort()

    async def forward_requests(self, source: asyncio.StreamReader) -> None:
        """Forward bytes of the service; only half of a piece that is to be cut."""
        while data := await source.read(_CHUNK):
            self._hidden = self._hidden or self._proxy.hides(data)
            await self._pass()
            if self._proxy.should_harm("requests"):
                self._server.write(data[: len(data) // 2])
                await self._server.drain()
                return
            self._server.write(data)
            await self._server.drain()

    async def _pass(self) -> None:
        """Wait while the proxy holds the bytes of this connection."""
        await self._proxy.passable.wait()
        if self._hidden:
            await self._proxy.visible.wait()

    async def forward_answers(self, source: asyncio.StreamReader) -> None:
        """Forward bytes of PostgreSQL; nothing of a piece that is to be lost."""
        while data := await source.read(_CHUNK):
            await self._pass()
            if self._proxy.should_harm("answers"):
                return
            self._client.write(data)
            await self._client.drain()


class Proxy:
    """Forwards bytes between the service and PostgreSQL."""

    def __init__(self, dsn: str, directory: Path, random: Random) -> None:
        """`dsn` is the address of PostgreSQL; `directory` has a short path and takes the proxy's socket."""
        parts = urlsplit(dsn)
        query = parse_qs(parts.query)
        name = f".s.PGSQL.{query['port'][0]}"
        self._server_socket = Path(query["host"][0]) / name
        self._socket = directory / name
        query["host"] = [str(directory)]
        self.dsn = parts._replace(query=urlencode(query, doseq=True)).geturl()
        self.harm = 0
        self.passable = asyncio.Event()
        self.passable.set()
        self._random = random
        self.visible = asyncio.Event()
        self.visible.set()
        self._marks: set[bytes] = set()
        self._harming: tuple[str, float] | None = None
        self._listener: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._passages: set[_Passage] = set()

    async def listen(self) -> None:
        """Accept connections."""
        self._listener = await asyncio.start_unix_server(self._serve, self._socket)

    async def close(self) -> None:
        """Cut all connections and stop accepting new ones."""
        self.passable.set()
        self.visible.set()
        self._refuse()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def should_harm(self, what: str) -> bool:
        """Return whether to cut this piece of the `requests` or `answers`, and count it if so."""
        if self._harming is None or self._harming[0] != what or self._random.random() >= self._harming[1]:
            return False
        self.harm += 1
        return True

    @asynccontextmanager
    async def harming(self, what: str, share: float) -> AsyncIterator[None]:
        """Within the block, cut a share of the `requests` half-way, or of the `answers` before they arrive."""
        self._harming = what, share
        try:
            yield
        finally:
            self._harming = None

    @asynccontextmanager
    async def stalled(self) -> AsyncIterator[None]:
        """Within the block, hold all bytes; they are delivered afterwards, even if the service has given up by then."""
        self.passable.clear()
        try:
            yield
        finally:
            self.passable.set()

    def mark(self, text: bytes) -> None:
        """Recognise connections on which a statement with this text is prepared, so that they can be hidden."""
        self._marks.add(text)

    def hides(self, data: bytes) -> bool:
        """Return whether bytes of the service make their connection one that can be hidden."""
        return any(mark in data for mark in self._marks)

    @asynccontextmanager
    async def hiding(self) -> AsyncIterator[None]:
        """Within the block, hold all bytes of the connections that are recognised by `mark`."""
        self.visible.clear()
        try:
            yield
        finally:
            self.visible.set()

    @asynccontextmanager
    async def refusing(self) -> AsyncIterator[None]:
        """Within the block, refuse new connections; those there are are cut."""
        self._refuse()
        try:
            yield
        finally:
            await self.listen()

    def cut(self) -> int:
        """Cut every connection; return how many there were."""
        passages = list(self._passages)
        for passage in passages:
            passage.cut()
        return len(passages)

    def _refuse(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._socket.unlink(missing_ok=True)
        self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(str(self._server_socket))
        except OSError:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  this runs in a task
        passage = _Passage(self, writer, server_writer)
        self._serving.add(task)
        self._passages.add(passage)
        try:
            with suppress(asyncio.CancelledError):  # otherwise asyncio would log that the stream was closed
                await _wait_for_first(passage.forward_requests(reader), passage.forward_answers(server_reader))
        finally:
            self._serving.discard(task)
            self._passages.discard(passage)
            passage.cut()


async def _wait_for_first(*directions: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.create_task(direction) for direction in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

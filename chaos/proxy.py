"""A Unix socket before PostgreSQL's, which passes everything on until it is told to do harm.

A client's statement is one write, and so is the server's answer to it, as far as they fit: to cut a connection while a
statement is on its way, or its answer on the way back, is to cut it in mid-commit.
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
    """A connection of the service, and the one to PostgreSQL that it is passed on to."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server

    def cut(self) -> None:
        """End both."""
        for end in (self._client, self._server):
            end.transport.abort()

    async def there(self, source: asyncio.StreamReader) -> None:
        """Pass on what the service says; half of it, where it is to be cut."""
        while data := await source.read(_CHUNK):
            await self._proxy.passable.wait()
            if self._proxy.takes_harm("requests"):
                self._server.write(data[: len(data) // 2])
                await self._server.drain()
                return
            self._server.write(data)
            await self._server.drain()

    async def back(self, source: asyncio.StreamReader) -> None:
        """Pass on what PostgreSQL says; nothing, where it is to be lost."""
        while data := await source.read(_CHUNK):
            await self._proxy.passable.wait()
            if self._proxy.takes_harm("answers"):
                return
            self._client.write(data)
            await self._client.drain()


class Proxy:
    """Passes bytes between the service and PostgreSQL."""

    def __init__(self, dsn: str, directory: Path, random: Random) -> None:
        """Take PostgreSQL's own address, a directory with a short path for our socket, and chance."""
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
        self._harming: tuple[str, float] | None = None
        self._listener: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._passages: set[_Passage] = set()

    async def listen(self) -> None:
        """Take connections."""
        self._listener = await asyncio.start_unix_server(self._serve, self._socket)

    async def close(self) -> None:
        """Cut what there is and take nothing new."""
        self.passable.set()
        self._refuse()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def takes_harm(self, what: str) -> bool:
        """Tell whether this one, of the requests or answers that pass, comes to harm."""
        if self._harming is None or self._harming[0] != what or self._random.random() >= self._harming[1]:
            return False
        self.harm += 1
        return True

    @asynccontextmanager
    async def harming(self, what: str, share: float) -> AsyncIterator[None]:
        """Cut a share of the `requests` half-way, or of the `answers` before they arrive."""
        self._harming = what, share
        try:
            yield
        finally:
            self._harming = None

    @asynccontextmanager
    async def stalled(self) -> AsyncIterator[None]:
        """Hold everything; it arrives afterwards, also what the service has given up on by then."""
        self.passable.clear()
        try:
            yield
        finally:
            self.passable.set()

    @asynccontextmanager
    async def refusing(self) -> AsyncIterator[None]:
        """Cut everything and take nothing new."""
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
        assert task is not None  # noqa: S101  this is one
        passage = _Passage(self, writer, server_writer)
        self._serving.add(task)
        self._passages.add(passage)
        try:
            with suppress(asyncio.CancelledError):  # or the stream would log that it was closed
                await _first_of(passage.there(reader), passage.back(server_reader))
        finally:
            self._serving.discard(task)
            self._passages.discard(passage)
            passage.cut()


async def _first_of(*ways: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""A proxy for PostgreSQL's Unix socket that can lose answers and break connections."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from service.database.connections import Connections


class Proxy:
    """Passes bytes between a client and the server."""

    def __init__(self, dsn: str, directory: Path) -> None:
        parts = urlsplit(dsn)
        query = parse_qs(parts.query)
        self._name = f".s.PGSQL.{query['port'][0]}"
        self.connect_to(dsn)
        self.socket = directory / self._name
        query["host"] = [str(directory)]
        self.dsn = parts._replace(query=urlencode(query, doseq=True)).geturl()
        self.lost = 0
        self._losing = False
        self._running = asyncio.Event()
        self._running.set()
        self._listener: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()
        self._opened: list[Connections] = []

    def connect_to(self, dsn: str) -> None:
        """Pass new connections on to this server, which has the same port number."""
        self._server_socket = Path(parse_qs(urlsplit(dsn).query)["host"][0]) / self._name

    def connections(self) -> Connections:
        """Return Connections through this proxy."""
        self._opened.append(Connections(self.dsn))
        return self._opened[-1]

    def lose_the_next_answer(self) -> None:
        """Break the next connection on which the server answers, without passing the answer on."""
        self._losing = True

    def pause(self) -> None:
        """Pass nothing on, and keep connections open, like a server that is stopped."""
        self._running.clear()

    def resume(self) -> None:
        """Pass everything on again."""
        self._running.set()

    async def listen(self) -> None:
        self._listener = await asyncio.start_unix_server(self._serve, self.socket)

    async def stop(self) -> None:
        """Break the open connections and refuse new ones."""
        if self._listener is not None:
            self._listener.close()
            self.socket.unlink(missing_ok=True)
        for task in list(self._passing):
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def close(self) -> None:
        for connections in self._opened:
            await connections.close()
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(str(self._server_socket))
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        there = asyncio.create_task(self._pass(reader, server_writer, answers=False))
        back = asyncio.create_task(self._pass(server_reader, writer, answers=True))
        try:
            await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass
        finally:
            self._passing.discard(task)
            for part in (there, back):
                part.cancel()
            for end in (writer, server_writer):
                end.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                await self._running.wait()
                if answers and self._losing:
                    self._losing = False
                    self.lost += 1
                    return
                sink.write(data)
                await sink.drain()

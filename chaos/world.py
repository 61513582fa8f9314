"""The service, its PostgreSQL and the proxy between them: what faults strike and checks examine."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from chaos import processes
from chaos.client import Client, Tally, session
from chaos.database import Database
from chaos.proxy import Proxy
from chaos.service import ROOT, Service, environment
from chaos.waiting import Violation
from service.embedded.files import cluster_in
from service.embedded.postgres import EmbeddedPostgres, attach

KINDS = ("embedded", "workers", "beside")
"""One process or two workers with an embedded PostgreSQL; two workers beside a PostgreSQL server, behind a proxy."""


@dataclass(frozen=True)
class Ground:
    """The parameters of a world."""

    directory: Path
    seed: str
    workers: int
    embedded: bool


class World:
    """A running service with everything around it."""

    def __init__(self, ground: Ground, service: Service, server: Server | None, client: Client) -> None:
        """Take the parts, which `world` opens and closes."""
        self.service = service
        self.server = server
        self.client = client
        self.workers = ground.workers
        self.random = Random(f"{ground.seed}/faults")
        self._data = ground.directory / "data"

    @property
    def proxy(self) -> Proxy:
        """The proxy in front of PostgreSQL."""
        assert self.server is not None  # noqa: S101  only faults of worlds with a proxy use it
        return self.server.proxy

    @property
    def database(self) -> Database:
        """PostgreSQL itself, bypassing the proxy."""
        dsn = attach(self._data) if self.server is None else self.server.postgres.dsn
        if dsn is None:
            raise Violation("the service is ready, and its embedded PostgreSQL is not")
        return Database(dsn)

    @property
    def postmaster(self) -> int:
        """The process id of the postmaster, read from postmaster.pid because other servers may run here, too."""
        data = self._data if self.server is None else self.server.data
        found = int((cluster_in(data) / "postmaster.pid").read_text().split()[0])
        if not processes.is_postgres(found):
            raise Violation(f"the postmaster is not process {found} any more")
        return found

    async def verify(self) -> str:
        """Run `runfold verify` and return its last line. Raises Violation if it fails."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service", "verify", "--database-url", self.database.dsn),
            cwd=ROOT,
            env=environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise Violation(f"runfold verify: {output.decode(errors='replace').strip()}")
        return output.decode().splitlines()[-1]


class Server:
    """A PostgreSQL server beside the service, and the proxy in front of it."""

    def __init__(self, directory: Path, chance: Random) -> None:
        """Start PostgreSQL."""
        self.data = directory / "beside"
        self.postgres = EmbeddedPostgres(self.data)
        self.postgres.start()
        self._short = tempfile.TemporaryDirectory(prefix="runfold-chaos-")
        self.proxy = Proxy(self.postgres.dsn, Path(self._short.name), chance)

    def restart(self) -> None:
        """Start PostgreSQL again after it was killed. This blocks the event loop, so proxy and clients wait, too."""
        self.postgres.stop()
        self.postgres = EmbeddedPostgres(self.data)
        self.postgres.start()

    async def close(self) -> None:
        """Stop the proxy and PostgreSQL."""
        await self.proxy.close()
        self.postgres.stop()
        self._short.cleanup()


@asynccontextmanager
async def world(ground: Ground, tally: Tally) -> AsyncIterator[World]:
    """Start a world, and stop all of it when the block ends."""
    async with AsyncExitStack() as stack:
        server = None
        where: tuple[object, ...] = ("--data-dir", ground.directory / "data")
        if not ground.embedded:
            server = Server(ground.directory, Random(f"{ground.seed}/proxy"))
            stack.push_async_callback(server.close)
            await server.proxy.listen()
            where = ("--database-url", server.proxy.dsn)
        service = Service((*where, "--workers", ground.workers), ground.directory / "service.log")
        stack.push_async_callback(service.close)
        await service.start()
        own = await stack.enter_async_context(session())
        client = Client(service.url, own, tally, Random(f"{ground.seed}/looking"))
        yield World(ground, service, server, client)

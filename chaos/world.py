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

import aiohttp

from chaos import processes
from chaos.client import Client, session
from chaos.database import Database
from chaos.disk import Disk, can_mount
from chaos.load import Load
from chaos.proxy import Proxy
from chaos.service import ROOT, Service, environment
from chaos.waiting import Violation
from service.auth import keys
from service.auth.keys import ScopeName
from service.database.connections import Connections
from service.embedded.files import cluster_in
from service.embedded.postgres import EmbeddedPostgres, attach

WRITERS, READER = ("ann", "bob"), "reader"
"""The names of the API keys of clients, and of the one that checks and listeners use."""

_READS_KEYS = b"t.subject = 'key'"
"""Part of the statement with which the service reads API keys, on a connection that it uses for nothing else."""

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

    def __init__(self, ground: Ground, service: Service, server: Server | None, load: Load) -> None:
        """Take the parts, which `world` opens and closes."""
        self.service = service
        self.server = server
        self.load = load
        self.secrets: dict[str, str] = {}
        """The secrets of API keys, by name."""
        self.workers = ground.workers
        self.random = Random(f"{ground.seed}/faults")
        self._seed = ground.seed
        self._data = ground.directory / "data"
        self._client: Client | None = None

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
    def client(self) -> Client:
        """A client beside those of the load. It is there once `open` was called."""
        assert self._client is not None  # noqa: S101  see above
        return self._client

    async def open(self, own: aiohttp.ClientSession) -> None:
        """Create API keys, and let the load and a client use them. The service must be running."""
        self.secrets = {name: await self.create_key(name) for name in WRITERS}
        self.load.base, self.load.secrets = self.service.url, dict(self.secrets)
        chance = Random(f"{self._seed}/looking")
        self._client = Client(self.service.url, own, self.load.tally, chance, self.secrets[WRITERS[0]])
        self.secrets[READER] = await self.create_key(READER, "read")

    async def create_key(self, name: str, scope: ScopeName = "write") -> str:
        """Create an API key and return its secret."""
        async with Connections(self.database.dsn) as connections:
            secret = await keys.create_key(connections, name, scope, "chaos")
        self.load.journal.keys[name, "created"] += 1
        return secret

    async def revoke_key(self, name: str) -> None:
        """Revoke an API key."""
        async with Connections(self.database.dsn) as connections:
            await keys.revoke_key(connections, name, "chaos")
        self.load.journal.keys[name, "revoked"] += 1

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
        """Start PostgreSQL, on a disk of its own where this process may mount one."""
        self.data = directory / "beside"
        self.disk = Disk(self.data) if can_mount() else None
        self.postgres = EmbeddedPostgres(self.data)
        self.postgres.start()
        self._short = tempfile.TemporaryDirectory(prefix="runfold-chaos-")
        self.proxy = Proxy(self.postgres.dsn, Path(self._short.name), chance)
        self.proxy.mark(_READS_KEYS)

    def is_alive(self) -> bool:
        """Return whether PostgreSQL runs."""
        try:
            pid = int((cluster_in(self.data) / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return False
        return processes.is_postgres(pid) and processes.is_alive(pid)

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
        if self.disk is not None:
            self.disk.close()


@asynccontextmanager
async def world(ground: Ground, load: Load) -> AsyncIterator[World]:
    """Start a world, and stop all of it when the block ends."""
    async with AsyncExitStack() as stack:
        server = None
        where: tuple[object, ...] = ("--data-dir", ground.directory / "data")
        if not ground.embedded:
            server = Server(ground.directory, Random(f"{ground.seed}/proxy"))
            stack.push_async_callback(server.close)
            await server.proxy.listen()
            where = ("--database-url", server.proxy.dsn)
        arguments = (*where, "--workers", ground.workers, "--auth", "on")
        service = Service(arguments, ground.directory / "service.log")
        stack.push_async_callback(service.close)
        await service.start()
        there = World(ground, service, server, load)
        await there.open(await stack.enter_async_context(session()))
        yield there

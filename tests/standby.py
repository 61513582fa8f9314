"""A physical standby of a PostgreSQL server: it streams, is cut off, and is promoted without the last WAL."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import asyncpg
from proxy import Proxy
from waiting import DEADLINE_S, wait_until

from service.embedded.binaries import Binaries, choose
from service.embedded.files import cluster_in
from service.embedded.process import User, environment, server_user

PRIMARY_SETTINGS = {"wal_level": "replica", "max_wal_senders": "4", "fsync": "off", "max_connections": "100"}


class Standby:
    """A running standby; `dsn` is its database, as the primary's is that of the primary."""

    def __init__(self, dsn: str, primary: str, link: Proxy) -> None:
        self.dsn = dsn
        self._primary = primary
        self._link = link

    async def wait_until_ready(self) -> None:
        await wait_until(self._answers, "the standby answers")

    async def _answers(self) -> bool:
        try:
            await _fetch(self.dsn, "select 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    async def cut_off(self) -> None:
        """Wait until it has everything that the primary has now, and receive nothing more."""
        written = await _fetch(self._primary, "select pg_current_wal_lsn()::text")

        async def replayed() -> bool:
            return bool(await _fetch(self.dsn, f"select pg_last_wal_replay_lsn() >= '{written}'"))

        await wait_until(replayed, "the standby has everything")
        await self._link.stop()

    async def promote(self) -> None:
        assert await _fetch(self.dsn, f"select pg_promote(true, {DEADLINE_S:.0f})")


async def _fetch(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


@asynccontextmanager
async def standby(primary_dir: Path, primary: str) -> AsyncIterator[Standby]:
    """Start a standby of the embedded server in a directory. It streams through a proxy, as through a network."""
    user = server_user(cluster_in(primary_dir))
    binaries = choose(cluster_in(primary_dir), user)
    parts = urlsplit(primary)
    query = parse_qs(parts.query)
    root = Path(tempfile.mkdtemp(prefix="rf-"))
    await asyncio.to_thread(_copy, binaries, query, root, user)
    link = Proxy(primary, root / "link")
    await link.listen()
    link.socket.chmod(0o777)  # the server may run as another user
    process = _start(binaries, query, root, user)
    try:
        address = urlencode({**query, "host": [str(root)]}, doseq=True)
        yield Standby(parts._replace(query=address).geturl(), primary, link)
    finally:
        await link.close()
        process.send_signal(signal.SIGINT)
        await asyncio.to_thread(process.wait, DEADLINE_S)
        shutil.rmtree(root, ignore_errors=True)


def _copy(binaries: Binaries, query: dict[str, list[str]], root: Path, user: User | None) -> None:
    """Copy the data of the primary to the directory `data`."""
    address = ["-h", query["host"][0], "-p", query["port"][0], "-U", "runfold"]
    command = [
        binaries.program("pg_basebackup"),
        *address,
        "-D",
        str(root / "data"),
        "-c",
        "fast",
        "-X",
        "stream",
        "-R",
    ]
    subprocess.run(command, check=True, env=environment(), timeout=DEADLINE_S)
    (root / "link").mkdir()
    if user is not None:
        for path in (root, *root.rglob("*")):
            os.chown(path, user.uid, user.gid)


def _start(binaries: Binaries, query: dict[str, list[str]], root: Path, user: User | None) -> subprocess.Popen[bytes]:
    source = f"host={root / 'link'} port={query['port'][0]} user=runfold"
    settings = {"port": query["port"][0], "unix_socket_directories": str(root), "primary_conninfo": source}
    settings |= {**PRIMARY_SETTINGS, "listen_addresses": ""}
    arguments = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
    return subprocess.Popen(
        [binaries.program("postgres"), "-D", str(root / "data"), *arguments],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
    )

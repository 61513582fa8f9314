"""PgBouncer, as Debian packages it, in front of the tests' PostgreSQL."""

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
from urllib.parse import parse_qs, quote, urlsplit

from programs import DEADLINE_S
from waiting import wait_until

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
PORT = 6432
SETTINGS = """
[databases]
* = host=/proc/self/cwd port={port} user=runfold
[pgbouncer]
pool_mode = {mode}
auth_type = any
unix_socket_dir = {directory}
listen_port = {own_port}
# Each transaction gets the session that was unused for the longest time: none gets the same one twice in a row.
server_round_robin = 1
default_pool_size = {sessions}
max_client_conn = 500
"""


class PgBouncer:
    """A running PgBouncer. It gives each transaction, or each client, one of a few sessions."""

    def __init__(self, process: subprocess.Popen[bytes], directory: Path) -> None:
        self.process = process
        self._directory = directory

    def dsn(self, dsn: str) -> str:
        """Return the URL of a database of the server behind it."""
        parts = urlsplit(dsn)
        return f"postgresql://runfold@{parts.path}?host={quote(str(self._directory))}&port={PORT}"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)


@asynccontextmanager
async def pgbouncer(dsn: str, *, mode: str = "transaction", sessions: int = 5) -> AsyncIterator[PgBouncer]:
    """Start PgBouncer in front of the server of a database, as the user of that server: it refuses to run as root."""
    query = parse_qs(urlsplit(dsn).query)
    socket = Path(query["host"][0])
    owner = os.stat(socket)  # noqa: PTH116
    with tempfile.TemporaryDirectory(prefix="rfp-") as name:
        directory = Path(name)
        port = query.get("port", ["5432"])[0]
        text = SETTINGS.format(mode=mode, port=port, directory=directory, own_port=PORT, sessions=sessions)
        (directory / "pgbouncer.ini").write_text(text)
        shutil.chown(directory, owner.st_uid, owner.st_gid)
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: ASYNC220  uvloop starts no program as another user
                [str(PROGRAM), str(directory / "pgbouncer.ini")],
                **({"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}),
                cwd=socket,  # that user may enter this directory, but not those above it
                stderr=log,
            )
        try:
            listening = directory / f".s.PGSQL.{PORT}"
            await wait_until(lambda: asyncio.sleep(0, listening.exists()), "it listens")
            yield PgBouncer(process, directory)
        finally:
            process.kill()
            await asyncio.to_thread(process.wait, DEADLINE_S)

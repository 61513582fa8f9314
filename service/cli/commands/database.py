"""The database of a command: the one at the URL, or the embedded one, attached to or started."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import click

from service.database import migrations
from service.embedded.files import cluster_in
from service.embedded.postgres import FEWEST_CONNECTIONS, EmbeddedPostgres, attach
from service.logs import without_password
from service.settings import CONNECTIONS

_CONNECT_S = 10.0
_OTHERS = 25
"""Connections for commands, people who look inside, and PostgreSQL's own superuser."""


class Database(NamedTuple):
    """Where the database is, its name for people, and a look at whether ours still lives."""

    dsn: str
    name: str
    look: Callable[[], str | None]


def _all_is_well() -> str | None:
    return None


@contextmanager
def owned(url: str, data_dir: Path, *, workers: int = 0) -> Iterator[Database]:
    """Give the database at the URL, or the embedded one, started and stopped. Raises EmbeddedError.

    The embedded one takes as many connections as that many processes of the service open, and some for commands.
    """
    if url:
        yield Database(url, without_password(url), _all_is_well)
        return
    connections = max(FEWEST_CONNECTIONS, workers * CONNECTIONS + _OTHERS)
    with EmbeddedPostgres(data_dir, connections=connections) as postgres:

        def look() -> str | None:
            status = postgres.poll()
            return status if status is None else f"The embedded PostgreSQL has ended by itself (status {status})."

        yield Database(postgres.dsn, f"the embedded PostgreSQL in {data_dir}", look)


@contextmanager
def attached(url: str, data_dir: Path, *, must_exist: bool = True) -> Iterator[str]:
    """Give a DSN as `owned` does, but of the embedded PostgreSQL that a service runs already, if one does."""
    running = None if url else attach(data_dir)
    if running is not None:
        yield running
        return
    if must_exist and not url and not cluster_in(data_dir).exists():
        raise click.ClickException(f"There is no database in {data_dir}; say which with --data-dir or --database-url.")
    with owned(url, data_dir) as database:
        yield database.dsn


def migrate(dsn: str) -> None:
    """Bring the schema to head. Raises ClickException with what stands in the way."""
    if asyncio.run(_revision(dsn)) == migrations.head():
        return
    # In a process of its own: what migrating loads would stay in the memory of one that goes on to serve.
    done = subprocess.run([sys.executable, "-m", __name__], input=dsn.encode(), stderr=subprocess.PIPE, check=False)  # noqa: S603
    if done.returncode:
        (*_, last) = done.stderr.decode(errors="replace").strip().splitlines() or ("no reason given",)
        raise click.ClickException(f"The database cannot be migrated: {without_password(last)}")


async def _revision(dsn: str) -> str | None:
    """Return the revision the schema is at, None where there is none yet."""
    try:
        connection = await asyncpg.connect(dsn, timeout=_CONNECT_S)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        reason = without_password(str(error)) or "no answer"
        raise click.ClickException(f"The database {without_password(dsn)} cannot be used: {reason}") from error
    try:
        revision: str | None = await connection.fetchval("select version_num from runfold_version")
    except asyncpg.UndefinedTableError:
        return None
    except asyncpg.PostgresError as error:
        raise click.ClickException(f"The database's revision cannot be read: {error}") from error
    finally:
        await connection.close()
    return revision


def _migrate() -> None:
    """Migrate the database whose URL comes on standard input; say on standard error what stands in the way."""
    from alembic.util import CommandError  # noqa: PLC0415  the parent does without
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    try:
        migrations.upgrade(sys.stdin.read())
    except (CommandError, SQLAlchemyError, asyncpg.PostgresError) as error:
        sys.exit(without_password(str(error)))


if __name__ == "__main__":
    _migrate()

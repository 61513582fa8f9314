"""The database of a command: the one at the URL, or the embedded one, attached to or started."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click

from service.database import migrations
from service.embedded.files import cluster_in
from service.embedded.postgres import FEWEST_CONNECTIONS, EmbeddedPostgres, attach
from service.logs import without_password
from service.settings import CONNECTIONS

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
    """Bring the schema to head. Raises DatabaseUnavailable, and OperatorError with what stands in the way."""
    if asyncio.run(migrations.current_revision(dsn)) != migrations.newest_revision():
        migrations.upgrade_in_child(dsn)

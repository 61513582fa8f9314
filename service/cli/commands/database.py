"""The database of a command: the one at the URL, or the embedded one, already running or started here."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click

from service.cli.commands.options import require_data_dir
from service.database import migrations
from service.database.connections import Connections
from service.database.failures import may_be_starting
from service.embedded.files import has_cluster
from service.embedded.postgres import FEWEST_CONNECTIONS, EmbeddedPostgres, attach
from service.errors import DatabaseUnavailable
from service.logs import without_password
from service.settings import CONNECTIONS

_RETRY_S = 1.0

_OTHERS = 25
"""Connections for commands, for ad-hoc queries, and those that PostgreSQL reserves for superusers."""

_log = logging.getLogger(__name__)


class Database(NamedTuple):
    """A database: its DSN, its name in messages, and a check that returns why it has ended, or None."""

    dsn: str
    name: str
    check: Callable[[], str | None]


def _no_check() -> str | None:
    return None


@contextmanager
def owned(url: str, data_dir: Path, *, workers: int = 0) -> Iterator[Database]:
    """Yield the database at the URL, or the embedded one, which is started and stopped. Raises EmbeddedError.

    The embedded one accepts the connections of `workers` serving processes, and some for commands.
    """
    if url:
        with naming(f"The database {url}"):
            yield Database(url, without_password(url), _no_check)
        return
    require_data_dir(data_dir)
    connections = max(FEWEST_CONNECTIONS, workers * CONNECTIONS + _OTHERS)
    with EmbeddedPostgres(data_dir, connections=connections) as postgres:

        def check() -> str | None:
            status = postgres.poll()
            return status if status is None else f"The embedded PostgreSQL has ended by itself (status {status})."

        with naming(f"The embedded PostgreSQL in {data_dir}"):
            yield Database(postgres.dsn, f"the embedded PostgreSQL in {data_dir}", check)


@contextmanager
def attached(url: str, data_dir: Path, *, must_exist: bool = True, exact: bool = False) -> Iterator[str]:
    """Yield a DSN as `owned` does, or that of the embedded PostgreSQL if a service is already running it.

    `exact`: the command needs the program of the schema's own revision, because it replaces or removes what is stored.
    Raises ClickException if `must_exist` and there is no database in the data directory yet, and OperatorError if this
    version cannot use the schema, or `must_exist` and there is none.
    """
    running = None if url else attach(require_data_dir(data_dir))
    if running is not None:
        with naming(f"The embedded PostgreSQL in {data_dir}"):
            asyncio.run(migrations.check_schema(running, must_exist=must_exist, exact=exact))
            yield running
        return
    if must_exist and not url and not has_cluster(data_dir):
        raise click.ClickException(f"There is no database in {data_dir}; choose one with --data-dir or --database-url.")
    with owned(url, data_dir) as database:
        asyncio.run(migrations.check_schema(database.dsn, must_exist=must_exist, exact=exact))
        yield database.dsn


@contextmanager
def naming(subject: str) -> Iterator[None]:
    """Report DatabaseUnavailable as a sentence about the database, without its password."""
    try:
        yield
    except DatabaseUnavailable as error:
        raise click.ClickException(without_password(f"{subject} cannot be used: {error}.")) from error


def migrate(dsn: str) -> str:
    """Migrate the schema to the newest revision, and return its revision; a newer one is left as it is.

    Raises DatabaseUnavailable, or OperatorError if it cannot.
    """
    schema = asyncio.run(migrations.check_schema(dsn, must_exist=False))
    if schema is not None and schema.problem is None:
        return schema.revision
    migrations.upgrade_in_child(dsn)
    return migrations.newest_revision()


async def wait_for_database(dsn: str, wait_s: float) -> None:
    """Return when the database accepts connections; try once a second for `wait_s` seconds, and log that.

    Raises DatabaseUnavailable when the time is over, and at once for a failure that waiting does not cure, such as a
    refused login.
    """
    ends_at = time.monotonic() + wait_s
    waiting_for = ""
    while True:
        try:
            async with Connections(dsn) as connections:
                await connections.fetch("select")
        except DatabaseUnavailable as error:
            remaining_s = ends_at - time.monotonic()
            if not may_be_starting(error) or remaining_s <= 0:
                raise
            if waiting_for != error.detail:
                waiting_for = error.detail
                _log.warning("%s; trying for another %.0f s", without_password(str(error)), remaining_s)
            await asyncio.sleep(min(_RETRY_S, remaining_s))
        else:
            if waiting_for:
                _log.warning("the database answers")
            return

"""Migrates a database's schema to the newest revision, or returns the SQL that would do it.

alembic and SQLAlchemy are imported only where they are needed: a service whose schema is current saves 30 MiB.
"""

from __future__ import annotations

import io
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from service.database.connections import Connections
from service.database.failures import translate
from service.database.statements import load
from service.errors import DatabaseUnavailable, OperatorError
from service.logs import without_password
from service.os_process import python_command

if TYPE_CHECKING:
    from alembic.config import Config


def _location() -> Path:
    package = Path(__file__).parents[1]
    in_wheel = package / "_alembic"
    return in_wheel if in_wheel.is_dir() else package.parent / "alembic"


def _config(dsn: str = "", output: io.StringIO | None = None) -> Config:
    from alembic.config import Config  # noqa: PLC0415  see the module's docstring

    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(_location()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["dsn"] = dsn
    return config


_FIND_SCHEMA, _REVISION = load("find_schema"), load("revision")


_INSUFFICIENT_PRIVILEGE = "42501"


@cache
def _known_revisions() -> frozenset[str]:
    """Return the revisions that this program knows: their files are named by their numbers."""
    return frozenset(file.name.partition("_")[0] for file in (_location() / "versions").glob("[0-9]*.py"))


@cache
def newest_revision() -> str:
    """Return the revision that this program needs."""
    return max(_known_revisions())


class SchemaVersion(NamedTuple):
    """The revision of a schema; `oldest_program`: the lowest revision of the programs that may use it, None: no older.

    Programs are named by the newest revision that they know. Each migration declares the lowest revision of the
    programs that go on to work after it (`oldest_program` in alembic/versions); the schema keeps the highest of these.
    """

    revision: str
    oldest_program: str | None = None
    migrated_by: str | None = None
    """The version of Runfold that migrated to this revision; None for schemas from before it was noted."""

    @property
    def is_newer(self) -> bool:
        """Whether a newer version of Runfold has made the schema."""
        return self.revision not in _known_revisions()

    @property
    def problem(self) -> str | None:
        """Return why this program cannot use the schema; None if it can."""
        newest = newest_revision()
        if self.revision == newest or (self.is_newer and self.oldest_program and self.oldest_program <= newest):
            return None
        return f"at {self.revision}, {newest} is needed"


async def read_schema(connections: Connections) -> SchemaVersion:
    """Return the version of the schema; an empty revision where it has none."""
    async with connections.connection() as connection:
        row = await connection.fetchrow(_REVISION)
    return SchemaVersion(*row) if row else SchemaVersion("")


async def check_schema(dsn: str, *, must_exist: bool = True, exact: bool = False) -> SchemaVersion | None:
    """Return the version of a database's schema; None if there is none and it need not exist.

    A schema that a newer version of Runfold has migrated is accepted if its migrations let this one go on, and not
    `exact`. Raises OperatorError if there is no schema though it must exist, if a newer version has migrated it and
    this one cannot go on, or if its revision is missing. Raises DatabaseUnavailable.
    """
    async with Connections(dsn) as connections:
        async with connections.connection() as connection:
            found = await connection.fetchrow(_FIND_SCHEMA)
        schema = await read_schema(connections) if found["has_revision"] else None
    revision = schema.revision if schema else ""
    if not revision and found["is_noted"]:
        if must_exist:
            raise OperatorError(
                "The database has the tables of Runfold, but not the table runfold_version with their revision, as"
                " after restoring a dump of the schema runfold alone; to create it, run: runfold migrate"
            )
        return None
    if not revision and found["has_ledger"]:
        raise OperatorError(
            "The database has the tables of Runfold, but not the table runfold_version with their revision, as"
            " after restoring a dump of the schema runfold alone: restore a dump of the whole database."
        )
    if schema is None or not revision:
        if must_exist:
            raise OperatorError("There is no Runfold in this database; to create its tables, run: runfold migrate")
        return None
    if schema.is_newer and (exact or schema.problem):
        may = " It can serve, record and read, but not do this." if schema.problem is None else ""
        newer = (
            f"A newer version of Runfold, {schema.migrated_by}," if schema.migrated_by else "A newer version of Runfold"
        )
        raise OperatorError(
            f"{newer} has migrated this database: its schema is at revision {revision}, and this version,"
            f" {version('runfold')}, knows revisions up to {newest_revision()}.{may} Use that version of Runfold."
        )
    return schema


def upgrade(dsn: str, revision: str = "head") -> None:
    """Migrate up. Several processes may call it at once; a lock lets one migrate at a time (alembic/env.py)."""
    from alembic import command  # noqa: PLC0415  see the module's docstring

    command.upgrade(_config(dsn), revision)


def upgrade_sql() -> str:
    """Return the SQL of all migrations, to read it or to run it by hand."""
    from alembic import command  # noqa: PLC0415  see the module's docstring

    output = io.StringIO()
    command.upgrade(_config(output=output), "head", sql=True)
    return output.getvalue()


def run_sql_file(op: Any, name: str) -> None:  # noqa: ANN401  alembic's op is a proxy module
    """Execute a file of alembic/sql, or print it in alembic's offline mode.

    The whole file is one simple query: only that accepts several statements and function bodies.
    """
    sql = (_location() / "sql" / name).read_text(encoding="utf-8")
    context = op.get_context()
    if context.as_sql:
        context.impl.static_output(sql)
        return
    op.execute("select")  # the driver begins the transaction with the first statement that SQLAlchemy executes
    op.get_bind().connection.run_async(lambda connection: connection.execute(sql))


def upgrade_in_child(dsn: str) -> None:
    """Migrate up in a child process, so that alembic does not stay in the memory of the service.

    Raises OperatorError with the reason for a failure.
    """
    child = subprocess.run(python_command(__name__), input=dsn.encode(), stderr=subprocess.PIPE, check=False)  # noqa: S603
    if child.returncode:
        (*_, last) = child.stderr.decode(errors="replace").strip().splitlines() or ("no reason given",)
        raise OperatorError(f"The database cannot be migrated: {without_password(last)}")


def _main() -> None:
    """Migrate the database whose URL is on standard input. Writes the reason for a failure to standard error."""
    import asyncpg  # noqa: PLC0415  see the module's docstring
    from alembic.util import CommandError  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError  # noqa: PLC0415

    try:
        upgrade(sys.stdin.read())
    except (CommandError, SQLAlchemyError, asyncpg.PostgresError) as error:
        cause = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig is not None else error
        translated = translate(cause) if isinstance(cause, Exception) else None
        sys.exit(without_password(_explain(translated or error)))


def _explain(error: Exception) -> str:
    """Return the reason for a failure, on one line: the parent process reports the last line."""
    text = " ".join(str(error).split())
    if isinstance(error, DatabaseUnavailable) and error.sqlstate == _INSUFFICIENT_PRIVILEGE:
        return (
            f"the database role lacks a right ({error.reason}). Migrate as the owner of Runfold's tables; in a database"
            " without them, as a role that may create a schema there and a table in the schema public."
        )
    return text


if __name__ == "__main__":
    _main()

"""Migrates a database's schema to the newest revision, or returns the SQL that would do it.

alembic and SQLAlchemy are imported only where they are needed: a service whose schema is current saves 30 MiB.
"""

from __future__ import annotations

import io
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.database.connections import Connections
from service.database.failures import translate
from service.errors import OperatorError
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


_VERSION_TABLE = "select to_regclass('runfold_version') is not null"
_VERSION = "select version_num from runfold_version"


@cache
def newest_revision() -> str:
    """Return the revision that this program needs: files of revisions are named by their numbers."""
    return max(file.name.partition("_")[0] for file in (_location() / "versions").glob("[0-9]*.py"))


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
    op.get_bind().connection.run_async(lambda connection: connection.execute(sql))


async def current_revision(dsn: str) -> str | None:
    """Return the revision of a database's schema, None if it has none. Raises DatabaseUnavailable."""
    async with Connections(dsn) as connections, connections.connection() as connection:
        if not await connection.fetchval(_VERSION_TABLE):
            return None
        revision: str | None = await connection.fetchval(_VERSION)
        return revision


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
        sys.exit(without_password(str(translated or error)))


if __name__ == "__main__":
    _main()

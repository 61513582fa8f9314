"""Brings a database's schema to the newest revision, or says what that would take.

alembic and SQLAlchemy are loaded only where they are needed: a service whose schema is at head does without, and saves
30 MiB.
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
    inside_the_wheel = package / "_alembic"
    return inside_the_wheel if inside_the_wheel.is_dir() else package.parent / "alembic"


def _config(dsn: str = "", output: io.StringIO | None = None) -> Config:
    from alembic.config import Config  # noqa: PLC0415  see above

    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(_location()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["dsn"] = dsn
    return config


_HAS_VERSION = "select to_regclass('runfold_version')"
_VERSION = "select version_num from runfold_version"


@cache
def newest_revision() -> str:
    """Return the revision this program needs: revisions are numbered, and files are named for them."""
    return max(file.name.partition("_")[0] for file in (_location() / "versions").glob("[0-9]*.py"))


def upgrade(dsn: str, revision: str = "head") -> None:
    """Migrate up; several processes may call it at once, one at a time does the work."""
    from alembic import command  # noqa: PLC0415  see above

    command.upgrade(_config(dsn), revision)


def downgrade(dsn: str, revision: str = "base") -> None:
    """Migrate down. Dropping the ledger is what revision `base` means."""
    from alembic import command  # noqa: PLC0415  see above

    command.downgrade(_config(dsn), revision)


def upgrade_sql() -> str:
    """Return the SQL of all migrations, for whoever wants to read or run it by hand."""
    from alembic import command  # noqa: PLC0415  see above

    output = io.StringIO()
    command.upgrade(_config(output=output), "head", sql=True)
    return output.getvalue()


def run_sql_file(op: Any, name: str) -> None:  # noqa: ANN401  alembic's op is a proxy module
    """Run a file of alembic/sql, or print it when asked for SQL only.

    The whole file goes as one simple query: only that takes many statements and function bodies as they are.
    """
    sql = (_location() / "sql" / name).read_text(encoding="utf-8")
    context = op.get_context()
    if context.as_sql:
        context.impl.static_output(sql)
        return
    op.get_bind().connection.run_async(lambda connection: connection.execute(sql))


async def current_revision(dsn: str) -> str | None:
    """Return the revision a database is at, None where there is no schema yet. Raises DatabaseUnavailable."""
    async with Connections(dsn) as connections:
        if (await connections.fetch(_HAS_VERSION))[0][0] is None:
            return None
        rows = await connections.fetch(_VERSION)
        return str(rows[0][0]) if rows else None


def upgrade_in_child(dsn: str) -> None:
    """Migrate up in a process of its own, so that what migrating loads does not stay in the memory of a service.

    Raises OperatorError with what stands in the way.
    """
    done = subprocess.run(python_command(__name__), input=dsn.encode(), stderr=subprocess.PIPE, check=False)  # noqa: S603
    if done.returncode:
        (*_, last) = done.stderr.decode(errors="replace").strip().splitlines() or ("no reason given",)
        raise OperatorError(f"The database cannot be migrated: {without_password(last)}")


def _main() -> None:
    """Migrate the database whose URL comes on standard input; say on standard error what stands in the way."""
    import asyncpg  # noqa: PLC0415  see above
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

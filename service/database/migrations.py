"""Brings a database's schema to the newest revision, or says what that would take.

alembic and SQLAlchemy are loaded only where they are needed: a service whose schema is at head does without, and saves
30 MiB.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


@cache
def head() -> str:
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


def run_file(op: Any, name: str) -> None:  # noqa: ANN401  alembic's op is a proxy module
    """Run a file of alembic/sql, or print it when asked for SQL only.

    The whole file goes as one simple query: only that takes many statements and function bodies as they are.
    """
    sql = (_location() / "sql" / name).read_text(encoding="utf-8")
    context = op.get_context()
    if context.as_sql:
        context.impl.static_output(sql)
        return
    op.get_bind().connection.run_async(lambda connection: connection.execute(sql))

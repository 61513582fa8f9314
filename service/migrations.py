"""Brings a database's schema to the newest revision, or says what that would take."""

import io
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory

from alembic import command


def _location() -> Path:
    inside_the_wheel = Path(__file__).parent / "_alembic"
    return inside_the_wheel if inside_the_wheel.is_dir() else Path(__file__).parent.parent / "alembic"


def _config(dsn: str = "", output: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(_location()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["dsn"] = dsn
    return config


def head() -> str:
    """Return the revision this program needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def upgrade(dsn: str, revision: str = "head") -> None:
    """Migrate up; several processes may call it at once, one at a time does the work."""
    command.upgrade(_config(dsn), revision)


def downgrade(dsn: str, revision: str = "base") -> None:
    """Migrate down. Dropping the ledger is what revision `base` means."""
    command.downgrade(_config(dsn), revision)


def upgrade_sql() -> str:
    """Return the SQL of all migrations, for whoever wants to read or run it by hand."""
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

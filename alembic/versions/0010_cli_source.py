"""Erasures are recorded with the source `cli`, as keys and archives are."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql_file(op, "0010_cli_source.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0010_cli_source.down.sql")

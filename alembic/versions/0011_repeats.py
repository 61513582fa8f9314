"""Repeated commands are found by their time."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql_file(op, "0011_repeats.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0011_repeats.down.sql")

"""Runs with contradicting ends, runs that were started again, and runs of several jobs."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql_file(op, "0013_ends.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0013_ends.down.sql")

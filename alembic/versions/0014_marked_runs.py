"""Indexes for runs with contradicting ends and runs that were started again."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql_file(op, "0014_marked_runs.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0014_marked_runs.down.sql")

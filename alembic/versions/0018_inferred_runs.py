"""Indexes for runs whose end is inferred."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0018"
down_revision = "0017"

oldest_program = "0016"


def upgrade() -> None:
    run_sql_file(op, "0018_inferred_runs.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0018_inferred_runs.down.sql")

"""Summaries of runs with many events replace snapshots."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0016"
down_revision = "0015"

oldest_program = "0016"
"""None of an earlier revision goes on: they read snapshots, which are gone."""


def upgrade() -> None:
    run_sql_file(op, "0016_summaries.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0016_summaries.down.sql")

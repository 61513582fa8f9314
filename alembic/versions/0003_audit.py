"""Indexes and functions for audits: events by every filter, times to positions, runs of all jobs."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql_file(op, "0003_audit.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0003_audit.down.sql")

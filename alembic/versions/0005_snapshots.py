"""Snapshots of runs with many events; rows of runs are written as one array."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql_file(op, "0005_snapshots.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0005_snapshots.down.sql")

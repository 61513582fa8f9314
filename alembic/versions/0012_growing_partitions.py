"""Partitions of payloads grow with the ledger; any range of positions can be archived."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql_file(op, "0012_growing_partitions.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0012_growing_partitions.down.sql")

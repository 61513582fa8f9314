"""Deleted namespaces hide their jobs; runs are found by their last event and by their end."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_sql_file(op, "0009_lists.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0009_lists.down.sql")

"""Runs that cross namespaces, and namespaces of datasets, for API keys that are bound to namespaces."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0019"
down_revision = "0018"

oldest_program = "0019"
"""The lowest revision of the programs that go on to work with the schema of this revision (record 0035)."""


def upgrade() -> None:
    run_sql_file(op, "0019_bound_keys.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0019_bound_keys.down.sql")

"""Indexes for lists of the namespaces that an API key is bound to."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0020"
down_revision = "0019"

oldest_program = "0019"
"""The lowest revision of the programs that go on to work with the schema of this revision (record 0035)."""


def upgrade() -> None:
    run_sql_file(op, "0020_namespace_lists.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0020_namespace_lists.down.sql")

"""Keys by which the newest version of a row is found first, for rows that nearly every page of events changes."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0024"
down_revision = "0023"

oldest_program = "0019"
"""The lowest revision of the programs that go on to work with the schema of this revision (record 0035)."""


def upgrade() -> None:
    run_sql_file(op, "0024_hot_rows.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0024_hot_rows.down.sql")

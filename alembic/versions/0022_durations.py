"""An index for lists of runs by duration."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0022"
down_revision = "0021"

oldest_program = "0019"
"""The lowest revision of the programs that go on to work with the schema of this revision (record 0035)."""


def upgrade() -> None:
    run_sql_file(op, "0022_durations.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0022_durations.down.sql")

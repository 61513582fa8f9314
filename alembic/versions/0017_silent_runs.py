"""Silent runs: settings of jobs and namespaces, the monitor, and the mark of runs whose end is inferred."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0017"
down_revision = "0016"

oldest_program = "0016"
"""Programs of that revision do not mark runs, and stop projecting once a newer one does (record 0035)."""


def upgrade() -> None:
    run_sql_file(op, "0017_silent_runs.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0017_silent_runs.down.sql")

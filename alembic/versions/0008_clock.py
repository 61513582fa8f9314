"""An append whose time lies ahead of a limit is rolled back."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql_file(op, "0008_clock.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0008_clock.down.sql")

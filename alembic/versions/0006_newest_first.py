"""The newest version of a row that is updated again and again is found first by its index."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql_file(op, "0006_newest_first.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0006_newest_first.down.sql")

"""OpenLineage events by their own time."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql_file(op, "0002_lineage.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0002_lineage.down.sql")

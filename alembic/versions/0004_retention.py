"""The ledger is append-only for its owner, too; a role with few rights; archived and erased payloads."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql_file(op, "0004_retention.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0004_retention.down.sql")

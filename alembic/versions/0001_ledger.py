"""The ledger, its append function, and the catalog that is projected from it."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql_file(op, "0001_ledger.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0001_ledger.down.sql")

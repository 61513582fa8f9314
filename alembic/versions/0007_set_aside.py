"""Events that are left out of the catalog, because they could not be projected."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_sql_file(op, "0007_set_aside.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0007_set_aside.down.sql")

"""The catalog and the schema say which versions of the program may use them."""

from alembic import op
from service.database.migrations import run_sql_file

revision = "0015"
down_revision = "0014"

oldest_program = "0015"
"""The lowest revision of the programs that go on to work with the schema of this revision (record 0035)."""


def upgrade() -> None:
    run_sql_file(op, "0015_catalog_format.up.sql")


def downgrade() -> None:
    run_sql_file(op, "0015_catalog_format.down.sql")

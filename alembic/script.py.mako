"""${message}."""

from alembic import op
from service.migrations import run_file

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    run_file(op, "${up_revision}.up.sql")


def downgrade() -> None:
    run_file(op, "${up_revision}.down.sql")

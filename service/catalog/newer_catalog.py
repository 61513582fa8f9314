"""A catalog that a newer version of the program projects: this one leaves it to that, and waits for it."""

from __future__ import annotations

from service.database.connections import Connections
from service.database.statements import load
from service.errors import Unavailable
from service.ledger.events import LOG
from service.ledger.stored_registers import FORMAT

_REQUEST = load("request_projection")


class NewerCatalog(Unavailable):
    """The catalog is of a newer format than this program projects; `position` is that of its cursor."""

    def __init__(self, position: int, written: int, current: int) -> None:
        """Take the position, the format, and the one that this program writes."""
        super().__init__(
            f"a newer version of Runfold projects the catalog: its format is {written}, and this version's is {current}"
        )
        self.position = position


def require_format(position: int, written: int, current: int = FORMAT) -> None:
    """Raise NewerCatalog for a cursor of a newer format: what this program wrote would lack what that format added."""
    if written > current:
        raise NewerCatalog(position, written, current)


async def request_projection(connections: Connections, position: int) -> None:
    """Ask the processes of the newer version to project up to a position at once; ledger_watch.py finds that."""
    async with connections.connection() as connection:
        await connection.execute(_REQUEST, LOG, position)

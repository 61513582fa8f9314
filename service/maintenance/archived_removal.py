"""Removes archived payloads from the database.

A partition whose payloads are all archived is replaced by a small one, together with such partitions before it: that
gives its space back at once, and keeps the number of partitions low. Elsewhere the archived payloads are deleted, a few
in each transaction, and their space is used again. The payloads of API keys and of the ledger's own records stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from service.database.connections import Connections
from service.database.statements import load
from service.errors import OperatorError
from service.ledger.archive_records import Archive
from service.ledger.events import LOG
from service.maintenance.locks import in_short_transaction
from service.maintenance.position_ranges import Positions, covered_parts

_PARTITIONS, _HAS_UNARCHIVED = load("payload_partitions"), load("has_unarchived_payload")
_REMOVABLE, _REMOVE = load("removable_payloads"), load("remove_payloads")
_REPLACE = load("replace_archived_partitions")

_PAYLOADS_AT_ONCE = 1_000
"""Payloads deleted in a transaction."""

_PARTITIONS_AT_ONCE = 16
"""Partitions replaced in a transaction: each needs several locks of the few thousand that PostgreSQL has."""

OnRemovalStep = Callable[[str, Archive | None], None]


class Partition(NamedTuple):
    """A partition of the payloads' table: its name, its first and its last position."""

    name: str
    first: int
    last: int


async def read_partitions(connections: Connections) -> list[Partition]:
    """Return the partitions of payloads, by position."""
    return [Partition(row["name"], row["first"], row["last"]) for row in await connections.fetch(_PARTITIONS)]


class ArchivedRemoval:
    """Removes archived payloads, partition by partition. Every method raises OperatorError and DatabaseUnavailable."""

    def __init__(self, connections: Connections, head: int, on_step: OnRemovalStep) -> None:
        """Take connections whose statements have time, and the last position of the ledger."""
        self._connections = connections
        self._head = head
        self._on_step = on_step
        self._emptied: list[Partition] = []
        """Adjacent partitions, the last ones so far, all of whose payloads are archived."""

    async def remove(self, partition: Partition, archived: Sequence[Positions]) -> None:
        """Remove the archived payloads of the next partition, by position, given all ranges that are archived."""
        parts = covered_parts(Positions(partition.first, partition.last), archived)
        found = [part for part in parts if await self.removable(part, 1)]
        if not await self._is_archived(partition):
            await self.finish()
            await self._delete(partition, found)
            return
        self._emptied.append(partition)
        if found or len(self._emptied) == _PARTITIONS_AT_ONCE:
            await self._replace()

    async def finish(self) -> None:
        """Merge the emptied partitions that were passed last."""
        if len(self._emptied) > 1:
            await self._replace()
        self._emptied = []

    async def _is_archived(self, partition: Partition) -> bool:
        if partition.last > self._head:
            return False
        ((has_unarchived,),) = await self._connections.fetch(_HAS_UNARCHIVED, partition.first, partition.last)
        return not has_unarchived

    async def _replace(self) -> None:
        names = [partition.name for partition in self._emptied]
        first, last = self._emptied[0].first, self._emptied[-1].last

        async def replace(connection: Any) -> bool:  # noqa: ANN401  asyncpg has no types
            await connection.execute(_REPLACE, names)
            self._on_step("replaced", None)
            return True

        if not await in_short_transaction(self._connections, replace):
            raise OperatorError(
                f"The payloads of positions {first} to {last} are archived, but still in the database, too: other"
                " sessions read payloads (an export, a backup). Run this again to remove them."
            )
        self._emptied = [Partition(names[0], first, last)]

    async def _delete(self, partition: Partition, parts: Sequence[Positions]) -> None:
        for part in parts:
            first = part.first
            while positions := await self.removable(Positions(first, part.last), _PAYLOADS_AT_ONCE):
                async with self._connections.connection() as connection:
                    await connection.execute(_REMOVE, LOG, positions)
                self._on_step("deleted", None)
                first = positions[-1] + 1
        if parts:
            async with self._connections.connection(autocommit=True) as connection:
                await connection.execute(load("vacuum_payloads", partition=f'"{partition.name}"'))

    async def removable(self, part: Positions, limit: int) -> list[int]:
        """Return the first positions of a part whose payloads are in the database and need not stay there."""
        return [row["position"] for row in await self._connections.fetch(_REMOVABLE, LOG, *part, limit)]

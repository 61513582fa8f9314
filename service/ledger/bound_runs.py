"""Finds the runs and namespaces of an API key that is bound to namespaces, in the ledger itself."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from uuid import UUID

from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.binding import Binding
from service.domain.prefixes import range_of_prefix
from service.errors import Invalid
from service.ledger.events import LOG

MAX_NAMESPACES = 10_000
"""Namespaces that the patterns of a key may match, where a list over all of them is requested."""

_INDEXED = 256
"""Characters of a namespace's name that the indexes have."""

_WITHIN = load_text("within", namespace="t.namespace")
_RUN_OWNERSHIP = load("run_ownership", within=_WITHIN)
_MATCHING_NAMESPACES = load("matching_namespaces", within=_WITHIN)


class Ownership(Enum):
    """Whose a run is, from the view of a binding: nobody's yet, its own (one event is within it), or of others."""

    NEW = "new"
    OWN = "own"
    OTHER = "other"


async def read_ownership(connections: Connections, runs: Collection[UUID], binding: Binding) -> dict[UUID, Ownership]:
    """Return whose the given runs are: what Binding.may_report says of their registers. Raises DatabaseUnavailable."""
    if not runs:
        return {}
    async with connections.connection() as connection:
        rows = await connection.fetch(_RUN_OWNERSHIP, LOG, list(set(runs)), *binding[1:])
    return {row["stream"]: _ownership(exists=row["known"], own=row["own"]) for row in rows}


def _ownership(*, exists: bool, own: bool) -> Ownership:
    if not exists:
        return Ownership.NEW
    return Ownership.OWN if own else Ownership.OTHER


async def matching_namespaces(connections: Connections, binding: Binding) -> list[str]:
    """Return the names of all namespaces within a binding that any recorded event names; also of datasets.

    Every event that was recorded before the call is taken into account, projected or not. Raises Invalid where there
    are more than MAX_NAMESPACES, and Unavailable.
    """
    if not binding.prefixes:
        return list(binding.names)
    bounds = [range_of_prefix(prefix, _INDEXED) for prefix in binding.prefixes]
    lower, upper = [first for first, _ in bounds], [last for _, last in bounds]
    rows = await connections.fetch(_MATCHING_NAMESPACES, LOG, lower, upper, MAX_NAMESPACES + 1, *binding[1:])
    if len(rows) > MAX_NAMESPACES:
        raise Invalid(f"the API key's patterns match more than {MAX_NAMESPACES} namespaces; name one of them")
    return [row["name"] for row in rows]

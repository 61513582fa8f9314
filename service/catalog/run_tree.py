"""Reads the tree of runs that a run is part of: a DAG run, its tasks, their tries, and what these started."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from service.catalog.queries import EVERY, VISIBLE_RUN, condition
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.binding import Binding
from service.errors import Malformed

MAX_RUNS = 10_000
"""Runs of a tree that are read. The columns of one take 9 KB at most: its names are bounded."""

MAX_LEVELS = 32
"""Levels above the run, and below the root, that are read."""

_PARENTS_AT_ONCE = 100
_MORE = 2  # one that tells that there are more, and the root, which is below itself where parents make a circle

_PARTS = {False: EVERY, True: f"{load_text('within', namespace='t.namespace')} and {VISIBLE_RUN}"}
_ANCESTORS = {bound: load("run_and_ancestors", visible_run=part) for bound, part in _PARTS.items()}
_CHILDREN = {bound: load("children_of_runs", visible_run=part) for bound, part in _PARTS.items()}
"""By whether the API key is bound to namespaces."""


class RunOfTree(NamedTuple):
    """How many levels below the root a run is, and what the columns of its row say."""

    depth: int
    id: UUID
    parent: UUID | None
    namespace: str
    job: str
    state: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class RunTree(NamedTuple):
    """A page of a tree, level by level; the children of a run are together, the oldest first.

    `root`: the topmost run. It is not among the runs where nothing was reported of it but that it is a parent, or where
    the API key may not see it. `following`: after which run there are more; None: the tree ends here. `is_whole`:
    whether there are no runs besides those of this and the other pages; it is decided on the last one.
    """

    root: UUID
    runs: list[RunOfTree]
    following: UUID | None
    is_whole: bool


class Extent(NamedTuple):
    """How many levels above a run its tree begins at most, and how many levels below its root it has at most."""

    above: int
    depth: int


class RunTrees:
    """Reads trees from the catalog. Raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def read(
        self, run: UUID, extent: Extent, after: UUID | None, limit: int, binding: Binding | None = None
    ) -> RunTree | None:
        """Return the runs of the tree of a run that come after one of them (None: from the root on), at most `limit`.

        Of those that the binding of an API key lets it see: nothing is found through others. Returns None where no run
        is known, neither of this id nor below it. Raises Malformed where the tree does not have the run `after`.
        """
        async with self._connections.connection() as connection:
            ancestors = await connection.fetch(_ANCESTORS[binding is not None], run, extent.above, *condition(binding))
            root, top, ends = _root(run, ancestors, extent.above)
            walk = _Walk(connection, binding, extent.depth)
            found: list[RunOfTree] = []
            is_known, begun = False, after is None
            async with aclosing(walk.runs(root, top)) as runs:
                async for each in runs:
                    is_known = True
                    if begun and len(found) == limit:
                        return RunTree(root, found, found[-1].id, is_whole=False)
                    if begun:
                        found.append(each)
                    begun = begun or each.id == after
        if not is_known and walk.is_whole:
            return None
        if not begun:
            raise foreign_cursor()
        return RunTree(root, found, None, is_whole=ends and walk.is_whole)


def foreign_cursor() -> Malformed:
    """Return the error for a run `after` which pages of a tree cannot go on, as the tree does not have it."""
    return Malformed("parameter cursor is not `next` of a page of this tree")


def _root(run: UUID, ancestors: Sequence[Any], above: int) -> tuple[UUID, Any, bool]:
    """Return the id of the root, its row (None where there is none), and whether nothing is known to be above it."""
    rows = {row["id"]: row for row in ancestors}  # those of a circle come again
    if not rows:
        return run, None, True
    *_, top = rows.values()
    parent: UUID | None = top["parent_run"]
    if parent is None or parent in rows:
        return top["id"], top, True
    return (parent, None, True) if len(rows) <= above else (top["id"], top, False)


class _Walk:
    """Reads a tree level by level. `is_whole` is decided when all runs were yielded."""

    def __init__(self, connection: Any, binding: Binding | None, depth: int) -> None:  # noqa: ANN401  asyncpg has no types
        self._connection, self._depth = connection, depth
        self._statement, self._within = _CHILDREN[binding is not None], condition(binding)
        self.is_whole = False

    async def runs(self, root: UUID, top: Any) -> AsyncGenerator[RunOfTree]:  # noqa: ANN401
        """Yield the root, if it has a row, and the runs below it, each once, until MAX_RUNS are known."""
        seen = {root}
        if top is not None:
            yield RunOfTree(0, *top)
        level = [root]
        for depth in range(1, self._depth + 1):
            rows = await self._children(level, MAX_RUNS - len(seen) + _MORE)
            level = []
            for row in rows:
                if row["id"] in seen:
                    continue
                if len(seen) == MAX_RUNS:
                    return
                seen.add(row["id"])
                level.append(row["id"])
                yield RunOfTree(depth, *row)
        self.is_whole = all(row["id"] in seen for row in await self._children(level, _MORE))

    async def _children(self, parents: Sequence[UUID], limit: int) -> list[Any]:
        """Return the first `limit` rows of the children of runs."""
        rows: list[Any] = []
        for first in range(0, len(parents), _PARENTS_AT_ONCE):
            some = list(parents[first : first + _PARENTS_AT_ONCE])
            rows += await self._connection.fetch(self._statement, some, limit - len(rows), *self._within)
            if len(rows) >= limit:
                break
        return rows

"""Reads graphs of columns level by level: as they are, a statement for the mappings of a level, and one for names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from service.catalog.batches import Pauses
from service.catalog.queries import PAGE_BYTES, load_page
from service.database.connections import Connections
from service.database.statements import load_text
from service.domain.binding import Binding
from service.domain.column_mapping import ColumnMapping
from service.domain.event import DatasetName
from service.domain.ids import dataset_id
from service.lineage.column_names import resolve
from service.lineage.columns import Column, ColumnGraph, DatasetMapping, resolve_mapping
from service.lineage.graph_statements import Parts, visible
from service.lineage.past_columns import PastMappings
from service.lineage.past_graph import PastMoment
from service.lineage.stored import unpack_mapping


class _Statements(NamedTuple):
    mappings_of: str
    mappings_from: str


def _statements(*, bound: bool) -> _Statements:
    parts = Parts(bound)
    names, counts = parts.names("w.id"), load_text("column_mapping_counts", job=parts.job("m.job_id"))
    return _Statements(
        load_page("column_mappings_of", names=names, counts=counts),
        load_page("column_mappings_from", names=names, counts=counts),
    )


_STATEMENTS = {bound: _statements(bound=bound) for bound in (False, True)}

MAX_BYTES = 2 * PAGE_BYTES
"""Bytes of mappings that a graph is made of at most, as they are stored."""


class ColumnBounds(NamedTuple):
    """How many edges away from its beginning a graph ends, and after how many columns."""

    depth: int
    limit: int


class Mappings(Protocol):
    """Reads mappings for one graph, as they are or as they were."""

    is_cut: bool
    """Whether mappings are left out."""

    unknown: set[DatasetName]
    """Datasets of which it is not known whether all mappings were read."""

    async def mappings_of(self, datasets: Iterable[DatasetName]) -> list[DatasetMapping]:
        """Return the mappings that make columns of datasets."""

    async def mappings_from(self, datasets: Iterable[DatasetName]) -> list[DatasetMapping]:
        """Return the mappings that take columns of datasets, and maybe others."""


class ColumnGraphs:
    """Reads graphs of columns, as they are or as they were.

    Every method raises Unavailable if the database cannot be used.
    """

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    def _mappings(self, binding: Binding | None, moment: PastMoment | None) -> Mappings:
        if moment is not None:
            return PastMappings(self._connections, moment, binding)
        return _Reading(self._connections, binding)

    async def columns_of(
        self, datasets: Iterable[DatasetName], binding: Binding | None, moment: PastMoment | None = None
    ) -> list[Column]:
        """Return the columns of datasets, by the names under which these are shown, that mappings make or take."""
        reading, names = self._mappings(binding, moment), set(datasets)
        columns = {
            Column(mapping.dataset, field): None
            for mapping in await reading.mappings_of(names)
            for field in mapping.fields
        }
        for mapping in await reading.mappings_from(names):
            inputs = [*mapping.for_all, *(each for sources in mapping.fields.values() for each in sources.inputs)]
            columns |= dict.fromkeys(each.column for each in inputs if each.column.dataset in names)
        return list(columns)

    async def read(
        self,
        start: Sequence[Column],
        bounds: ColumnBounds,
        binding: Binding | None,
        moment: PastMoment | None = None,
        *,
        downstream: bool,
    ) -> ColumnGraph:
        """Return what some columns are made of, and if so wanted what is made of them, up to a number of edges."""
        graph = ColumnGraph(bounds.limit)
        reading = self._mappings(binding, moment)
        begin = [column for column in start if graph.add(column)]
        ways = [(reading.mappings_of, graph.add_sources)]
        if downstream:
            ways.append((reading.mappings_from, graph.add_targets))
        for read, add in ways:
            level = begin
            for _ in range(max(1, bounds.depth)):
                found = await add(level, await read({column.dataset for column in level}))
                if reading.unknown:
                    graph.cut |= {column: None for column in level if column.dataset in reading.unknown}
                if reading.is_cut:
                    graph.cut |= dict.fromkeys(level)
                    break
                level = found
                if not level:
                    break
        return graph


class _Reading:
    """Reads mappings for one graph, up to MAX_BYTES."""

    def __init__(self, connections: Connections, binding: Binding | None) -> None:
        self._connections = connections
        self._binding = binding
        self._statements = _STATEMENTS[binding is not None]
        self._left = MAX_BYTES
        self._pauses = Pauses()
        self.is_cut = False
        self.unknown: set[DatasetName] = set()

    async def mappings_of(self, datasets: Iterable[DatasetName]) -> list[DatasetMapping]:
        """Return the mappings that make columns of datasets."""
        return await self._mappings(self._statements.mappings_of, datasets)

    async def mappings_from(self, datasets: Iterable[DatasetName]) -> list[DatasetMapping]:
        """Return the mappings that take columns of datasets."""
        return await self._mappings(self._statements.mappings_from, datasets)

    async def _mappings(self, statement: str, datasets: Iterable[DatasetName]) -> list[DatasetMapping]:
        ids = {dataset_id(*name): name for name in datasets}
        rows = await self._connections.fetch(statement, list(ids), *visible(self._binding), self._left)
        self._left -= sum(len(row["registers"]) for row in rows)
        self.is_cut = self._left <= 0 or (bool(rows) and len(rows) < rows[0]["found"])
        mappings: list[ColumnMapping] = []
        for row in rows:
            await self._pauses.pause()
            mappings.append(unpack_mapping(row["registers"]))
        inputs = {name for mapping in mappings for name in mapping.inputs()}
        made = {row["id"] for row in rows} - ids.keys()
        names = await resolve(self._connections, inputs, made, self._binding)
        shown = {**names.by_id, **ids}
        return [
            await resolve_mapping(shown[row["id"]], mapping.columns, names.by_name, self._pauses)
            for row, mapping in zip(rows, mappings, strict=True)
            if row["id"] in shown
        ]

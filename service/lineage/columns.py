"""The graph of columns: which columns a column is made of, and which are made of it. No I/O.

Depth counts edges, and at least one, as in Marquez. A graph of columns may have circles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from service.catalog.batches import Pauses
from service.domain.column_mapping import InputColumn, MappedColumns, Transformation
from service.domain.event import DatasetName

MAX_EDGES = 50_000
"""Most edges of a graph: an event with 5,000 columns that depend on 2,000 others each tells 10,000,000."""

MAX_EDGE_TEXT = 8 * 1024 * 1024
"""Most characters of the names and transformations of edges, each of which an answer has about three times."""


class Column(NamedTuple):
    """A field of a dataset; with a version, as it was in that one."""

    dataset: DatasetName
    field: str
    version: UUID | None = None


class ColumnInput(NamedTuple):
    """A column that another one is made of, and how."""

    column: Column
    transformations: tuple[Transformation, ...] = ()


class ColumnSources(NamedTuple):
    """What a column is made of by one mapping; the texts are of OpenLineage before 1-1-0."""

    inputs: tuple[ColumnInput, ...] = ()
    transformation_type: str | None = None
    transformation_description: str | None = None


NO_SOURCES = ColumnSources()


class DatasetMapping(NamedTuple):
    """The mapping of an output dataset by a job, or that of a version of it.

    `for_all`: what each column depends on, also those not in `fields`.
    """

    dataset: DatasetName
    fields: Mapping[str, ColumnSources]
    for_all: tuple[ColumnInput, ...] = ()
    version: UUID | None = None

    def inputs(self, field: str) -> Iterator[ColumnInput]:
        """Yield what a field is made of; nothing if that is not told."""
        if (known := self.fields.get(field)) is not None:
            yield from known.inputs
        yield from self.for_all

    def texts(self, field: str) -> ColumnSources:
        """Return what the mapping tells of a field besides its inputs."""
        return self.fields.get(field, NO_SOURCES)._replace(inputs=())


class _InputsOf(NamedTuple):
    """The inputs of a mapping by the columns that they take: those of single fields, and those of all fields."""

    fields: dict[Column, dict[str, list[ColumnInput]]]
    for_all: dict[Column, list[ColumnInput]]

    @classmethod
    async def read(cls, mapping: DatasetMapping, pauses: Pauses) -> _InputsOf:
        found = cls({}, {})
        for field, sources in mapping.fields.items():
            await pauses.pause()
            for each in sources.inputs:
                found.fields.setdefault(each.column, {}).setdefault(field, []).append(each)
        for each in mapping.for_all:
            found.for_all.setdefault(each.column, []).append(each)
        return found

    def edges_from(self, column: Column, all_fields: Iterable[str]) -> Iterator[tuple[str, list[ColumnInput]]]:
        """Yield each field that is made of a column, with how."""
        made, for_all = self.fields.get(column, {}), self.for_all.get(column, [])
        for field in all_fields if for_all else made:
            yield field, made.get(field, []) + for_all


async def resolve_mapping(
    made: DatasetName,
    columns: MappedColumns,
    names: Mapping[DatasetName, DatasetName],
    pauses: Pauses,
    version: UUID | None = None,
    versions: Mapping[DatasetName, UUID] = MappingProxyType({}),
) -> DatasetMapping:
    """Return a mapping with the names under which its inputs are shown; inputs without one in `names` are left out.

    `version`, and `versions` by the names of inputs: where the mapping is that of a version.
    """

    def inputs(given: Iterable[InputColumn]) -> tuple[ColumnInput, ...]:
        return tuple(
            ColumnInput(Column(shown, each.field, versions.get(shown)), each.transformations)
            for each in given
            if (shown := names.get(DatasetName(each.namespace, each.name))) is not None
        )

    fields = {}
    for field, mapped in columns.fields.items():
        await pauses.pause()
        texts = mapped.transformation_type, mapped.transformation_description
        fields[field] = ColumnSources(inputs(mapped.inputs), *texts)
    return DatasetMapping(made, fields, inputs(columns.dataset), version)


class ColumnGraph:
    """Columns with their edges: at most `limit` columns, MAX_EDGES edges, and MAX_EDGE_TEXT characters of them."""

    def __init__(self, limit: int) -> None:
        """Begin without columns."""
        self._limit = limit
        self._edges_left, self._text_left = MAX_EDGES, MAX_EDGE_TEXT
        self._pauses = Pauses()
        self.sources: dict[Column, dict[ColumnSources, None]] = {}
        """What each column is made of, by each mapping."""

        self.targets: dict[Column, dict[Column, None]] = {}
        """What is made of each column."""

        self.cut: dict[Column, None] = {}
        """Columns of which neighbours are left out."""

    @property
    def columns(self) -> list[Column]:
        """All columns that have an edge."""
        return [column for column, targets in self.targets.items() if targets or self.sources[column]]

    def add(self, column: Column) -> bool:
        """Add a column; return whether it is there now."""
        if column not in self.targets:
            if len(self.targets) >= self._limit:
                return False
            self.sources[column], self.targets[column] = {}, {}
        return True

    async def add_sources(self, columns: Sequence[Column], mappings: Iterable[DatasetMapping]) -> list[Column]:
        """Add what some columns are made of, by the mappings of their datasets; return the columns that are new."""
        by_dataset: dict[tuple[DatasetName, UUID | None], list[DatasetMapping]] = {}
        for mapping in mappings:
            by_dataset.setdefault((mapping.dataset, mapping.version), []).append(mapping)
        found: dict[Column, None] = {}
        for column in columns:
            for mapping in by_dataset.get((column.dataset, column.version), ()):
                await self._add_sources(column, mapping, found)
        return list(found)

    async def _add_sources(self, column: Column, mapping: DatasetMapping, found: dict[Column, None]) -> None:
        kept, told = [], mapping.texts(column.field)
        for each in mapping.inputs(column.field):
            await self._pauses.pause()
            if not self._has_space():
                self.cut[column] = None
                break
            self._take_space(column, each, told)
            is_new = each.column not in self.targets
            if not self.add(each.column):
                self.cut[column] = None
                continue
            kept.append(each)
            self.targets[each.column][column] = None
            if is_new:
                found[each.column] = None
        if kept:
            self.sources[column][told._replace(inputs=tuple(kept))] = None

    async def add_targets(self, columns: Sequence[Column], mappings: Iterable[DatasetMapping]) -> list[Column]:
        """Add what is made of some columns, by the mappings that take them; return the columns that are new."""
        wanted, found = set(columns), dict[Column, None]()
        for mapping in mappings:
            inputs = await _InputsOf.read(mapping, self._pauses)
            for source in dict.fromkeys((*inputs.fields, *inputs.for_all)):
                await self._pauses.pause()
                if source in wanted:
                    await self._add_targets(source, mapping, inputs, found)
        return list(found)

    async def _add_targets(
        self, source: Column, mapping: DatasetMapping, inputs: _InputsOf, found: dict[Column, None]
    ) -> None:
        for field, edges in inputs.edges_from(source, mapping.fields):
            await self._pauses.pause()
            if not self._has_space():
                self.cut[source] = None
                break
            target, told = Column(mapping.dataset, field, mapping.version), mapping.texts(field)
            for each in edges:
                self._take_space(target, each, told)
            is_new = target not in self.targets
            if not self.add(target):
                self.cut[source] = None
            elif target not in self.targets[source]:
                self.targets[source][target] = None
                self.sources[target][told._replace(inputs=tuple(edges))] = None
                if is_new:
                    found[target] = None

    def _has_space(self) -> bool:
        return self._edges_left > 0 and self._text_left > 0

    def _take_space(self, column: Column, source: ColumnInput, told: ColumnSources) -> None:
        names = (*column.dataset, column.field, *source.column.dataset, source.column.field)
        transformations = [each[:3] for each in source.transformations] + [told[1:]]
        self._edges_left -= 1
        self._text_left -= sum(map(len, names)) + sum(len(text or "") for each in transformations for text in each)

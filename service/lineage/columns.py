"""The graph of columns: which columns a column is made of, and which are made of it. No I/O.

Depth counts edges, and at least one, as in Marquez. A graph of columns may have circles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from service.domain.column_mapping import InputColumn, MappedColumns, Transformation
from service.domain.event import DatasetName


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


class DatasetMapping(NamedTuple):
    """The mapping of an output dataset by a job, or that of a version of it.

    `for_all`: what each column depends on, also those not in `fields`.
    """

    dataset: DatasetName
    fields: Mapping[str, ColumnSources]
    for_all: tuple[ColumnInput, ...] = ()
    version: UUID | None = None

    def sources(self, field: str) -> ColumnSources | None:
        """Return what a field is made of; None if that is not told."""
        known = self.fields.get(field)
        if not self.for_all:
            return known
        return ColumnSources(self.for_all) if known is None else known._replace(inputs=known.inputs + self.for_all)

    def columns_from(self, columns: Iterable[Column]) -> Iterator[tuple[Column, Column]]:
        """Yield each of some columns with each that is made of it."""
        made: dict[Column, list[str]] = {}
        for field, sources in self.fields.items():
            for each in sources.inputs:
                made.setdefault(each.column, []).append(field)
        filters = {each.column for each in self.for_all}
        for column in columns:
            fields = self.fields if column in filters else made.get(column, ())
            yield from ((column, Column(self.dataset, field, self.version)) for field in fields)


def resolve_mapping(
    made: DatasetName,
    columns: MappedColumns,
    names: Mapping[DatasetName, DatasetName],
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

    fields = {
        field: ColumnSources(inputs(mapped.inputs), mapped.transformation_type, mapped.transformation_description)
        for field, mapped in columns.fields.items()
    }
    return DatasetMapping(made, fields, inputs(columns.dataset), version)


class ColumnGraph:
    """Columns with their edges, at most `limit` of them."""

    def __init__(self, limit: int) -> None:
        """Begin without columns."""
        self._limit = limit
        self.sources: dict[Column, list[ColumnSources]] = {}
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
            self.sources[column], self.targets[column] = [], {}
        return True

    def add_sources(self, columns: Sequence[Column], mappings: Iterable[DatasetMapping]) -> list[Column]:
        """Add what some columns are made of, by the mappings of their datasets; return the columns that are new."""
        by_dataset: dict[tuple[DatasetName, UUID | None], list[DatasetMapping]] = {}
        for mapping in mappings:
            by_dataset.setdefault((mapping.dataset, mapping.version), []).append(mapping)
        found: dict[Column, None] = {}
        for column in columns:
            for mapping in by_dataset.get((column.dataset, column.version), ()):
                self._add_sources(column, mapping.sources(column.field), found)
        return list(found)

    def _add_sources(self, column: Column, sources: ColumnSources | None, found: dict[Column, None]) -> None:
        if sources is None or sources in self.sources[column]:
            return
        kept = []
        for each in sources.inputs:
            is_new = each.column not in self.targets
            if self.add(each.column):
                kept.append(each)
                self.targets[each.column][column] = None
                if is_new:
                    found[each.column] = None
            else:
                self.cut[column] = None
        if kept:
            self.sources[column].append(sources._replace(inputs=tuple(kept)))

    def add_targets(self, columns: Sequence[Column], mappings: Iterable[DatasetMapping]) -> list[Column]:
        """Add what is made of some columns, by the mappings that take them; return the columns that are new."""
        found: dict[Column, None] = {}
        for mapping in mappings:
            for source, target in mapping.columns_from(columns):
                is_new = target not in self.targets
                if not self.add(target):
                    self.cut[source] = None
                    continue
                if is_new:
                    found[target] = None
                self._add_edge(source, target, mapping.sources(target.field))
        return list(found)

    def _add_edge(self, source: Column, target: Column, sources: ColumnSources | None) -> None:
        if sources is not None and target not in self.targets[source]:
            self.targets[source][target] = None
            inputs = tuple(each for each in sources.inputs if each.column == source)
            self.sources[target].append(sources._replace(inputs=inputs))

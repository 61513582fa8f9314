"""Reads datasets, their versions, sources and tags from what is projected of them.

A dataset is found by each of its names, and is what was told under all of them. For an API key that is bound to
namespaces, names in others do not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from service.catalog.queries import EVERY, PAGE_BYTES, Slice, condition, load_page
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.binding import Binding
from service.domain.column_mapping import ColumnMapping
from service.domain.dataset import DatasetRegisters, merge_aliases
from service.domain.dataset_versions import DatasetVersion, VersionContent, dataset_version_id, schema_version_id
from service.domain.event import DatasetName
from service.domain.ids import dataset_id, namespace_id, source_id
from service.domain.prefixes import range_of_prefix
from service.domain.sources_and_tags import SourceRegisters, TagRegisters
from service.ledger.bound_runs import matching_namespaces
from service.lineage.past_graph import PastMoment
from service.lineage.stored import unpack_dataset, unpack_mapping, unpack_source, unpack_tag, unpack_version
from service.lineage.versions_at import TOLD

_INDEXED = 200
"""Characters of a name that the indexes have."""


class DatasetItem(NamedTuple):
    """A dataset: what was told under all of its names, of which `ids` are the ids; the shown one is the first.

    `version`: the id of the current version. `mappings`: of its columns, by the jobs that write it.
    """

    registers: DatasetRegisters
    ids: tuple[UUID, ...]
    version: UUID
    mappings: Sequence[ColumnMapping] = ()

    @property
    def name(self) -> DatasetName:
        """The name under which it is shown."""
        return DatasetName(self.registers.namespace, self.registers.name)


class VersionItem(NamedTuple):
    """A version of a dataset, and the run that was the first to write it, if one was."""

    version: DatasetVersion
    run: UUID | None


class _Listing(NamedTuple):
    """Which datasets are listed, as parts of a statement."""

    bound: bool
    of_one: bool
    named: bool

    def load(self, name: str, *, pages: bool) -> str:
        """Return a statement."""
        within = load_text("within", namespace="d.namespace") if self.bound else EVERY
        shown = "d.id = d.primary_id"
        if self.bound:
            other = load_text("within", namespace="c.namespace")
            shown = load_text("bound_shown_dataset", within=within, within_other=other)
        parts = {
            "shown": load_text("shown_dataset", shown=shown),
            "of_namespace": self._of_namespace(),
            "named": load_text("named_datasets") if self.named else EVERY,
        }
        if not pages:
            return load(name, **parts)
        return load_page(name, **parts, within=load_text("within", namespace="t.namespace") if self.bound else EVERY)

    def _of_namespace(self) -> str:
        if self.of_one:
            return load_text("of_namespace")
        return load_text("of_namespaces") if self.bound else EVERY


_LISTINGS = [
    _Listing(*flags) for flags in ((b, o, n) for b in (False, True) for o in (False, True) for n in (False, True))
]
_LIST = {listing: listing.load("list_datasets", pages=True) for listing in _LISTINGS}
_COUNT = {listing: listing.load("count_datasets", pages=False) for listing in _LISTINGS}
_FIND = {
    False: load("dataset_names", within=EVERY),
    True: load("dataset_names", within=load_text("within", namespace="t.namespace")),
}
_MAPPINGS = load_page("dataset_mappings")
_KNOWN_THEN = "(:at::timestamptz is null or t.at <= :at) and (:position::bigint is null or t.position <= :position)"
_VERSIONS = load_page(
    "list_dataset_versions",
    creator=load_text("version_creator", known=_KNOWN_THEN),
    roles=load_text("dataset_roles"),
)
_COUNT_VERSIONS = load("count_dataset_versions")
_VERSION = load("dataset_version", creator=load_text("version_creator", known=EVERY))
_SOURCES, _TAGS = load_page("list_names", catalog="sources"), load_page("list_names", catalog="tags")
_SOURCE = load("catalog_rows", catalog="sources")


class DatasetQueries:
    """Reads datasets. Every method raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def find(
        self, name: DatasetName, binding: Binding | None, moment: PastMoment | None = None
    ) -> DatasetItem | None:
        """Return a dataset; None where it is unknown or deleted. The name must be within the binding.

        `moment`: one that was deleted later is returned, too.
        """
        rows = await self._connections.fetch(_FIND[binding is not None], dataset_id(*name), *condition(binding))
        if not rows or not (rows[0]["visible"] or (moment is not None and _was_there(rows[0], moment.position))):
            return None
        found = {rows[0]["id"]: [(row["id"], unpack_dataset(row["registers"])) for row in rows]}
        return (await self._items(found))[0]

    async def page(
        self, namespace: str | None, prefix: str | None, slice_: Slice, binding: Binding | None
    ) -> tuple[list[DatasetItem], int]:
        """Return a slice of the datasets of a namespace, or of all, by name, and the number of all.

        `prefix`: only those whose names begin so. The namespace must be within the binding.
        """
        listing = _Listing(binding is not None, namespace is not None, prefix is not None)
        within: tuple[Any, ...] = condition(binding)
        if namespace is not None:
            within += (namespace_id(namespace),)
        elif binding is not None:
            within += ([namespace_id(name) for name in await matching_namespaces(self._connections, binding)],)
        if prefix is not None:
            within += (prefix, *range_of_prefix(prefix, _INDEXED))
        rows, total = await asyncio.gather(
            self._connections.fetch(_LIST[listing], *slice_, *within, PAGE_BYTES),
            self._count(_COUNT[listing], *within),
        )
        return await self._items(_whole(rows)), total

    async def _items(self, found: Mapping[UUID, list[tuple[UUID, DatasetRegisters]]]) -> list[DatasetItem]:
        """Return datasets, each of the registers of its names."""
        if not found:
            return []
        datasets = {
            id_: (
                merge_aliases(names[0][1], [registers for _, registers in names[1:]]),
                tuple(each for each, _ in names),
            )
            for id_, names in found.items()
        }
        ids = [id_ for _, names in datasets.values() for id_ in names]
        versions, mappings = await asyncio.gather(self._current_versions(datasets.values()), self._mappings(ids))
        return [
            DatasetItem(
                registers,
                names,
                next((versions[id_] for id_ in names if id_ in versions), None) or empty_version(registers).id,
                [mapping for id_ in names for mapping in mappings.get(id_, ())],
            )
            for registers, names in datasets.values()
        ]

    async def _current_versions(
        self, datasets: Iterable[tuple[DatasetRegisters, tuple[UUID, ...]]]
    ) -> dict[UUID, UUID]:
        """Return the version that the event told which the schema is of, by the id of the name that it used."""
        wanted = [(id_, at) for registers, ids in datasets if (at := _told_at(registers)) is not None for id_ in ids]
        if not wanted:
            return {}
        rows = await self._connections.fetch(TOLD, *zip(*wanted, strict=True))
        return {row["id"]: row["version"] for row in rows}

    async def _mappings(self, ids: Sequence[UUID]) -> dict[UUID, list[ColumnMapping]]:
        rows = await self._connections.fetch(_MAPPINGS, ids, PAGE_BYTES)
        mappings: dict[UUID, list[ColumnMapping]] = {}
        for row in rows:
            mappings.setdefault(row["dataset_id"], []).append(unpack_mapping(row["registers"]))
        return mappings

    async def versions(
        self, item: DatasetItem, slice_: Slice, moment: PastMoment | None = None
    ) -> tuple[list[VersionItem], int]:
        """Return a slice of the versions of a dataset, the newest first, and the number of all.

        `moment`: of those that were told until then.
        """
        which = (list(item.ids), moment and moment.bound, moment and moment.position)
        rows, total = await asyncio.gather(
            self._connections.fetch(_VERSIONS, *which, *slice_, PAGE_BYTES), self._count(_COUNT_VERSIONS, *which)
        )
        if not total and moment is not None:
            return [], 0
        if not total:
            only = VersionItem(empty_version(item.registers), None)
            return [only][slice_.offset :][: slice_.limit], 1
        return [_version_item(row) for row in rows], total

    async def version(self, item: DatasetItem, version: UUID) -> VersionItem | None:
        """Return a version of a dataset; None if it has no such version."""
        rows = await self._connections.fetch(_VERSION, list(item.ids), version)
        if rows:
            return _version_item(rows[0])
        only = empty_version(item.registers)
        return VersionItem(only, None) if version == only.id == item.version else None

    async def sources(self, prefix: str, slice_: Slice) -> list[SourceRegisters]:
        """Return a slice of the sources whose names begin so, by name."""
        rows = await self._connections.fetch(_SOURCES, prefix, *slice_, PAGE_BYTES)
        return [unpack_source(row["registers"]) for row in rows]

    async def source(self, name: str) -> SourceRegisters | None:
        """Return a source; None where it is unknown."""
        rows = await self._connections.fetch(_SOURCE, [source_id(name)])
        return unpack_source(rows[0]["registers"]) if rows else None

    async def tags(self, prefix: str, slice_: Slice) -> list[TagRegisters]:
        """Return a slice of the tags whose names begin so, by name."""
        rows = await self._connections.fetch(_TAGS, prefix, *slice_, PAGE_BYTES)
        return [unpack_tag(row["registers"]) for row in rows]

    async def _count(self, statement: str, *arguments: Any) -> int:  # noqa: ANN401  what asyncpg takes
        async with self._connections.connection() as connection:
            return int(await connection.fetchval(statement, *arguments))


def _whole(rows: Sequence[Any]) -> dict[UUID, list[tuple[UUID, DatasetRegisters]]]:
    """Return the datasets of rows with their names; of several, without the last where not all of its names fit."""
    found: dict[UUID, list[tuple[UUID, DatasetRegisters]]] = {}
    for row in rows:
        found.setdefault(row["id"], []).append((row["name_id"], unpack_dataset(row["registers"])))
    if rows and len(rows) < rows[0]["found"] and len(found) > 1:
        del found[rows[-1]["id"]]
    return found


def _was_there(row: Any, position: int) -> bool:  # noqa: ANN401  asyncpg has no types
    """Return whether a dataset that is deleted now was not yet at a position."""
    return unpack_dataset(row["registers"]).deleted > position


def _told_at(dataset: DatasetRegisters) -> datetime | None:
    """Return the time of the event whose schema a dataset has now; None where none told one."""
    definition, written = dataset.definition, dataset.facets.get("schema")
    if written is not None and (definition is None or written.at >= definition.at):
        return written.at
    if definition is not None:
        return definition.at
    read = dataset.read_facets.get("schema")
    return read.at if read is not None else None


def empty_version(dataset: DatasetRegisters) -> DatasetVersion:
    """Return the version of a dataset of which no event told a schema: it has this one only, which is not stored."""
    name = DatasetName(dataset.namespace, dataset.name)
    created_at = dataset.first_seen.at if dataset.first_seen else dataset.updated_at
    content = VersionContent(
        created_at, 0, b"", "DB_TABLE", "default", dataset.name, (), schema_version_id(name, ()), lifecycle_state=""
    )
    return DatasetVersion(dataset_version_id(name, ()), created_at, 0, content)


def _version_item(row: Any) -> VersionItem:  # noqa: ANN401  asyncpg has no types
    content, created_at = unpack_version(row["registers"]), row["created_at"]
    if created_at < row["known_at"]:  # what the earliest event tells was not known
        created_at, content = row["known_at"], content._replace(description=None, facets={})
    return VersionItem(DatasetVersion(row["version"], created_at, row["position"], content), row["run_id"])

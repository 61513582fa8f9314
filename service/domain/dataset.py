"""The state of a dataset: registers that are merged from its own events and those of the runs and jobs that name it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import IntFlag
from typing import NamedTuple

from service.domain.column_mapping import MappedColumns
from service.domain.dataset_definitions import DatasetDefinition, DatasetField
from service.domain.event import DatasetName, Event, Kind, make_tuple
from service.domain.registers import (
    EPOCH,
    FirstSeen,
    StampedFacet,
    StampedText,
    latest,
    merge_facets,
    merge_names,
    name_registers_of,
    phase_of,
    stamped_facets,
)
from service.domain.tags import (
    StampedTag,
    TagChange,
    merge_field_tags,
    merge_tags,
    stamped_field_tags,
    stamped_tags,
)

DEFAULT_SOURCE = "default"
"""The source of a dataset for which none was told, as in Marquez."""

DROP = "DROP"
"""The lifecycle state change that removes the dataset itself."""


class Role(IntFlag):
    """In which ways an event names a dataset. Stored in runfold.dataset_events."""

    READ = 1
    WRITTEN = 2
    DATASET_EVENT = 4
    COMMAND = 8
    OF_JOB = 16
    """Together with READ or WRITTEN: a JobEvent or the definition of a job names it."""


WRITING = Role.WRITTEN | Role.DATASET_EVENT | Role.COMMAND
"""The roles whose events tell what a dataset is; a reader may know it only in part, or as it was."""


class DatasetFacts(NamedTuple):
    """What the facets of a dataset tell in one event. A value is None, or empty, where no facet tells it.

    `facets`: all of them, as received (None: deleted). `links`: other names of the dataset, of the facets `symlinks`
    and `lifecycleStateChange` (RENAME). `tags`: also those of fields in the schema.
    """

    facets: Mapping[str, bytes | None] = {}
    fields: tuple[DatasetField, ...] | None = None
    source: str | None = None
    source_url: str | None = None
    description: str | None = None
    lifecycle: str | None = None
    links: tuple[DatasetName, ...] = ()
    tags: tuple[TagChange, ...] = ()
    mapping: MappedColumns | None = None


NO_FACTS = DatasetFacts()

_NO_CONTENT = frozenset({Kind.DELETED, Kind.TAGGED, Kind.UNTAGGED})
"""Kinds of commands that tell nothing about what a dataset is."""


class DatasetRegisters(NamedTuple):
    """The state of a dataset under one of its names. The fields from `position` to `definition` are NameRegisters.

    `facets`: of the latest event that tells each and writes or defines the dataset; `read_facets`: of those that read
    it. `updated_at`: the latest time of an event. `written_at`, `dropped_at`: of one that writes or defines it, and of
    one that drops it. `description`: of PUTs that have one. `has_links`: an event tells other names of it.
    """

    namespace: str
    name: str
    position: int = 0
    own_position: int = 0
    seen: int = 0
    deleted: int = 0
    updated_at: datetime = EPOCH
    first_seen: FirstSeen | None = None
    definition: DatasetDefinition | None = None
    facets: Mapping[str, StampedFacet] = {}
    read_facets: Mapping[str, StampedFacet] = {}
    description: StampedText | None = None
    tags: Mapping[str, StampedTag] = {}
    field_tags: Mapping[str, Mapping[str, StampedTag]] = {}
    written_at: datetime | None = None
    dropped_at: datetime | None = None
    has_links: bool = False

    @property
    def hidden(self) -> bool:
        """Whether the dataset was deleted and not mentioned since."""
        return self.deleted > self.seen

    @property
    def is_dropped(self) -> bool:
        """Whether it was dropped, and not written since; that it is read does not bring it back."""
        return self.dropped_at is not None and (self.written_at is None or self.dropped_at >= self.written_at)

    @property
    def known_facets(self) -> Mapping[str, StampedFacet]:
        """Each facet as the latest event that writes the dataset tells it; what only readers tell, as they do."""
        return {**self.read_facets, **self.facets} if self.read_facets else self.facets


def dataset_registers_of(
    event: Event,
    name: DatasetName,
    role: Role,
    facts: DatasetFacts = NO_FACTS,
    definition: DatasetDefinition | None = None,
    tags: tuple[TagChange, ...] = (),
) -> DatasetRegisters:
    """Return the registers of a dataset that an event names, writes, reads, defines or deletes.

    `tags`: what a command changes, beside those in `facts`.
    """
    at, digest, phase = event.transitioned_at, event.payload_digest or event.fact, phase_of(event)
    own = event.subject == "dataset"
    writes = bool(role & WRITING) and event.kind not in _NO_CONTENT
    facets = stamped_facets(at, digest, facts.facets, phase) if facts.facets else {}
    changes = facts.tags + tags
    description = None
    if definition is not None and definition.description is not None:
        description = StampedText(at, definition.digest, definition.description)
    registers = (
        *name,
        *name_registers_of(event, own=own, updated_at=at, definition=definition),
        facets if writes else {},
        {} if writes else facets,
        description,
        stamped_tags(event.position, changes) if changes else {},
        stamped_field_tags(event.position, changes) if changes else {},
        at if writes else None,
        at if writes and facts.lifecycle == DROP else None,
        bool(facts.links),
    )
    return make_tuple(DatasetRegisters, registers)


def merge_datasets(a: DatasetRegisters, b: DatasetRegisters) -> DatasetRegisters:
    """Merge two parts of a dataset's history; the order and overlap of the parts do not matter."""
    merged = (
        a.namespace,
        a.name,
        *merge_names(a[2:9], b[2:9]),
        merge_facets(a.facets, b.facets),
        merge_facets(a.read_facets, b.read_facets),
        latest(a.description, b.description),
        merge_tags(a.tags, b.tags),
        merge_field_tags(a.field_tags, b.field_tags),
        _latest(a.written_at, b.written_at),
        _latest(a.dropped_at, b.dropped_at),
        a.has_links or b.has_links,
    )
    return make_tuple(DatasetRegisters, merged)


def merge_aliases(primary: DatasetRegisters, others: Iterable[DatasetRegisters]) -> DatasetRegisters:
    """Return one dataset of what was told under all of its names, with the names of its primary."""
    for other in others:
        primary = merge_datasets(primary, other)
    return primary


def _latest(a: datetime | None, b: datetime | None) -> datetime | None:
    if a is None or b is None:
        return a or b
    return max(a, b)


class Claim(NamedTuple):
    """How a name claims to be the primary one of a dataset with several; the smallest wins, in any order of events.

    A name in whose events the others are told goes before one that is only told as another name.
    """

    is_alias_only: bool
    is_unseen: bool
    first_seen: FirstSeen
    name: DatasetName


def claim_of(dataset: DatasetRegisters) -> Claim:
    """Return the claim of a name of a dataset."""
    first_seen = dataset.first_seen or FirstSeen(implied=True, at=EPOCH)
    return Claim(
        not dataset.has_links, dataset.first_seen is None, first_seen, DatasetName(dataset.namespace, dataset.name)
    )

"""Projects a page of the ledger into datasets, their versions, and lineage. Pure: events in, registers and rows out.

A page mostly tells the same of a dataset many times, so the events that tell one thing are merged as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

from service.domain.column_mapping import column_mapping_of, merge_mappings
from service.domain.dataset import (
    NO_FACTS,
    DatasetFacts,
    DatasetRegisters,
    Role,
    dataset_registers_of,
    merge_datasets,
)
from service.domain.dataset_definitions import DatasetDefinition, SourceDefinition, TagDefinition
from service.domain.dataset_versions import (
    DatasetVersion,
    VersionContent,
    defined_content,
    merge_versions,
    told_content,
    version_defined_by,
)
from service.domain.event import (
    API,
    MONITOR,
    NO_CONTENT,
    Content,
    DatasetName,
    Event,
    JobName,
    Kind,
    Subject,
    make_tuple,
)
from service.domain.ids import dataset_id, job_id, source_id, tag_id
from service.domain.job import JobDefinition
from service.domain.job_entry import JobEntry, job_entry_of, merge_job_entries, told_description
from service.domain.registers import FirstSeen, phase_of
from service.domain.run_datasets import RunDataset, RunDatasets, merge_run_datasets, run_dataset_of, run_datasets_of
from service.domain.sources_and_tags import (
    merge_sources,
    merge_tag_registers,
    source_registers_of,
    tag_registers_of,
)
from service.domain.tags import TagChange
from service.lineage.changes import NO_JOB, READS, WRITES, DatasetEvent, Edge, LineageChanges, Link, RunKey, merge_links
from service.lineage.event_type_counts import EventTypeCounts
from service.payloads.contents import decode_payload
from service.payloads.lineage_contents import LineageContent, ToldDataset, read_lineage

K = TypeVar("K")
V = TypeVar("V")

_STARTS = Content(starts=True)
_OPENLINEAGE = frozenset({"openlineage", "import"})


class Only(NamedTuple):
    """What a page is projected for, where it is not for everything: after an erasure."""

    datasets: frozenset[UUID]
    runs: frozenset[UUID]
    jobs: frozenset[UUID]


def pseudo_run(position: int) -> UUID:
    """Return the id that stands for a run where the event at a position is one of a job itself."""
    return UUID(int=position)


class _Telling:
    """The events of a page that tell the same of one dataset: they are merged as one."""

    __slots__ = ("facts", "first_at", "first_position", "last_position", "latest", "role", "stamp")

    def __init__(self, event: Event, role: Role, facts: DatasetFacts) -> None:
        self.role = role
        self.facts = facts
        self.latest = event
        self.stamp = (event.transitioned_at, phase_of(event), event.payload_digest or event.fact)
        self.first_at = event.transitioned_at
        self.first_position = self.last_position = event.position

    def add(self, event: Event) -> None:
        at = event.transitioned_at
        self.first_at = min(self.first_at, at)
        self.last_position = max(self.last_position, event.position)
        if at >= self.stamp[0]:
            stamp = (at, phase_of(event), event.payload_digest or event.fact)
            if stamp > self.stamp:
                self.latest, self.stamp = event, stamp

    def registers(self, name: DatasetName) -> DatasetRegisters:
        """Return what all of the events merge to."""
        found = dataset_registers_of(self.latest._replace(position=self.last_position), name, self.role, self.facts)
        return found._replace(first_seen=FirstSeen(implied=True, at=self.first_at))


class PageProjection:
    """Collects the changes of a page; events are added in the order of their positions."""

    def __init__(self, only: Only | None = None) -> None:
        """Begin without changes. `only`: leave out what is about anything else."""
        self._only = only
        self._tellings: dict[tuple[DatasetName, int, bool, bool], _Telling] = {}
        self._versions: dict[tuple[UUID, UUID], DatasetVersion] = {}
        self._edges: dict[Edge, tuple[datetime, datetime]] = {}
        self._runs: dict[RunKey, RunDatasets] = {}
        self._mentions: dict[tuple[str, str], JobEntry] = {}
        self._changes = LineageChanges(
            {}, [], self._versions, {}, self._runs, self._edges, {}, {}, {}, {}, EventTypeCounts()
        )

    def add(self, event: Event, payload: str | None) -> None:
        """Add an event with its payload, which is None where it has none, or an erased one."""
        if event.kind == Kind.ERASED or event.source == MONITOR:
            return
        subject = event.subject
        if event.source in _OPENLINEAGE:
            content = None if payload is None else read_lineage(payload, event.position)
            if subject == Subject.RUN:
                self._changes.type_counts.add(event, _STARTS if content is not None and content.starts else NO_CONTENT)
            if content is not None:
                self._add_lineage(event, content)
            elif subject != Subject.DATASET:
                self._mention(event)
        elif event.source == API:
            self._add_command(event, payload)

    def _add_lineage(self, event: Event, content: LineageContent) -> None:
        if event.subject == Subject.DATASET:
            if content.dataset is not None:
                self._add_dataset_event(event, content.dataset)
            return
        job = make_tuple(JobName, (event.namespace or "", event.job or ""))
        if content.description is None and not content.job_tags:
            self._mention(event)
        else:
            told = None if content.description is None else told_description(event, content.description)
            self._merge_job(job, job_entry_of(event, told, content.job_tags))
            self._add_tags(event, content.job_tags)
        if content.inputs or content.outputs:
            self._add_run(event, job, content.inputs, content.outputs, content.location)

    def _add_dataset_event(self, event: Event, told: ToldDataset) -> None:
        self._tell(event, told, Role.DATASET_EVENT)
        self._name(event, told.name, Role.DATASET_EVENT, None, told.version)
        if told.facts.mapping is not None:
            self._map(event, told, NO_JOB)

    def _add_run(
        self,
        event: Event,
        job: JobName,
        inputs: Iterable[ToldDataset],
        outputs: Iterable[ToldDataset],
        location: str | None,
    ) -> None:
        """Add the inputs and outputs of a run, or those of an event of a job itself."""
        is_run = event.subject == Subject.RUN
        run = event.stream if is_run else pseudo_run(event.position)
        job_stream = job_id(*job)
        named: dict[DatasetName, tuple[Role, UUID | None]] = {}
        unions: tuple[dict[DatasetName, RunDataset], dict[DatasetName, RunDataset]] = ({}, {})
        for direction, role, datasets in ((WRITES, Role.WRITTEN, outputs), (READS, Role.READ, inputs)):
            union = unions[direction]
            for told in datasets:
                name = told.name
                self._tell(event, told, role)
                known, version = named.get(name, (Role(0), None))
                named[name] = (known | role, told.version if version is None else version)
                if told.facts.mapping is not None and direction == WRITES:
                    self._map(event, told, job_stream)
                union[name] = run_dataset_of(event, told.facets, told.version)
                self._connect(Edge(job_stream, direction, dataset_id(*name)), event.transitioned_at)
        of_job = Role(0) if is_run else Role.OF_JOB
        for name, (role, version) in named.items():
            self._name(event, name, role | of_job, run if is_run else None, version)
        if self._only is None or run in self._only.runs:
            found = run_datasets_of(event, unions[READS], unions[WRITES], location)
            _merge_into(self._runs, RunKey(run, job, is_run), found, merge_run_datasets)

    def _tell(self, event: Event, told: ToldDataset, role: Role) -> None:
        """Add what an event tells of a dataset."""
        name, facts = told.name, told.facts
        key = (name, id(facts), role == Role.READ, role == Role.DATASET_EVENT)
        telling = self._tellings.get(key)
        if telling is None:
            self._tellings[key] = _Telling(event, role, facts)
        else:
            telling.add(event)
        if told.version is not None:
            self._add_version(event, name, told.version, facts)
        if facts.links or facts.source is not None or facts.tags:
            self._add_related(event, name, facts)

    def _add_version(self, event: Event, name: DatasetName, version: UUID, facts: DatasetFacts) -> None:
        key = (dataset_id(*name), version)
        known = self._versions.get(key)
        if known is not None and event.transitioned_at > known.created_at:
            return  # positions grow within a page
        self._put_version(event, key, told_content(event, name, facts))

    def _put_version(self, event: Event, key: tuple[UUID, UUID], content: VersionContent) -> None:
        if self._only is None or key[0] in self._only.datasets:
            version = DatasetVersion(key[1], event.transitioned_at, event.position, content)
            _merge_into(self._versions, key, version, merge_versions)

    def _add_related(self, event: Event, name: DatasetName, facts: DatasetFacts) -> None:
        """Add the other names, the source and the tags that an event tells of a dataset."""
        own = dataset_id(*name)
        for alias in facts.links:
            if alias == name or not (self._only is None or own in self._only.datasets):
                continue
            alias_id = dataset_id(*alias)
            named = DatasetRegisters(*alias, event.position, seen=event.position, updated_at=event.transitioned_at)
            _merge_into(self._changes.datasets, alias_id, named, merge_datasets)
            link = Link(event.transitioned_at, event.position)
            _merge_into(self._changes.links, (own, alias_id), link, merge_links)
        if facts.source is not None:
            source = source_registers_of(event, facts.source, None, facts.source_url)
            _merge_into(self._changes.sources, source_id(facts.source), source, merge_sources)
        self._add_tags(event, facts.tags)

    def _add_tags(self, event: Event, changes: Iterable[TagChange]) -> None:
        for change in changes:
            if change.added:
                tag = tag_registers_of(event, change.tag)
                _merge_into(self._changes.tags, tag_id(change.tag), tag, merge_tag_registers)

    def _map(self, event: Event, told: ToldDataset, job: UUID) -> None:
        mapping = told.facts.mapping
        key = (dataset_id(*told.name), job)
        if mapping is not None and (self._only is None or key[0] in self._only.datasets):
            _merge_into(self._changes.mappings, key, column_mapping_of(event, mapping), merge_mappings)

    def _name(self, event: Event, name: DatasetName, role: Role, run: UUID | None, version: UUID | None) -> None:
        row = (dataset_id(*name), event.position, event.transitioned_at, int(role), run, version)
        self._changes.events.append(make_tuple(DatasetEvent, row))

    def _connect(self, edge: Edge, at: datetime) -> None:
        span = self._edges.get(edge)
        if span is None:
            self._edges[edge] = (at, at)
        elif at < span[0] or at > span[1]:
            self._edges[edge] = (min(at, span[0]), max(at, span[1]))

    def _mention(self, event: Event) -> None:
        """Add an event that only names its job."""
        name = (event.namespace or "", event.job or "")
        known = self._mentions.get(name)
        at, recorded_at = event.transitioned_at, event.recorded_at
        if known is None:
            self._mentions[name] = JobEntry(*name, at, recorded_at, event.position)
        else:
            self._mentions[name] = make_tuple(
                JobEntry,
                (*name, min(at, known.created_at), max(recorded_at, known.updated_at), event.position, *known[5:]),
            )

    def _merge_job(self, job: JobName, entry: JobEntry) -> None:
        _merge_into(self._changes.jobs, job_id(*job), entry, merge_job_entries)

    def _add_command(self, event: Event, payload: str | None) -> None:
        """Add a command of the API."""
        if event.subject == Subject.RUN:
            self._mention(event)
            return
        decoded = decode_payload(event, payload)
        definition = decoded.definition
        if event.subject == Subject.JOB:
            self._add_job_command(event, decoded.content, definition, decoded.tags)
        elif event.subject == Subject.DATASET and decoded.dataset is not None:
            self._add_dataset_command(event, decoded.dataset, definition, decoded.tags)
        elif event.subject == Subject.SOURCE and isinstance(definition, SourceDefinition):
            source = source_registers_of(event, definition.name, definition)
            _merge_into(self._changes.sources, source_id(definition.name), source, merge_sources)
        elif event.subject == Subject.TAG and isinstance(definition, TagDefinition):
            tag = tag_registers_of(event, definition.name, definition)
            _merge_into(self._changes.tags, tag_id(definition.name), tag, merge_tag_registers)

    def _add_job_command(self, event: Event, content: Content, definition: object, tags: tuple[TagChange, ...]) -> None:
        job = JobName(event.namespace or "", event.job or "")
        description = location = None
        if isinstance(definition, JobDefinition):
            description, location = told_description(event, definition.description), definition.location
        self._merge_job(job, job_entry_of(event, description, tags))
        self._add_tags(event, tags)
        if content.inputs or content.outputs:
            inputs = [ToldDataset(name) for name in content.inputs or ()]
            self._add_run(event, job, inputs, [ToldDataset(name) for name in content.outputs or ()], location)

    def _add_dataset_command(
        self, event: Event, name: DatasetName, definition: object, tags: tuple[TagChange, ...]
    ) -> None:
        own = dataset_id(*name)
        version = run = None
        defined = definition if isinstance(definition, DatasetDefinition) else None
        if defined is not None:
            version, run = version_defined_by(name, defined), defined.run
            self._put_version(event, (own, version), defined_content(name, defined))
            source = source_registers_of(event, defined.source)
            _merge_into(self._changes.sources, source_id(defined.source), source, merge_sources)
        found = dataset_registers_of(event, name, Role.COMMAND, NO_FACTS, defined, tags)
        if self._only is None or own in self._only.datasets:
            _merge_into(self._changes.datasets, own, found, merge_datasets)
        self._add_tags(event, tags)
        self._name(event, name, Role.COMMAND, run, version)

    def changes(self) -> LineageChanges:
        """Return the changes of the events that were added."""
        datasets, jobs = self._changes.datasets, self._changes.jobs
        for (name, *_), telling in self._tellings.items():
            key = dataset_id(*name)
            if self._only is None or key in self._only.datasets:
                _merge_into(datasets, key, telling.registers(name), merge_datasets)
        for job, entry in self._mentions.items():
            _merge_into(jobs, job_id(*job), entry, merge_job_entries)
        self._tellings.clear()
        self._mentions.clear()
        return self._changes


def _merge_into(registers: dict[K, V], key: K, change: V, merge: Callable[[V, V], V]) -> None:
    known = registers.get(key)
    registers[key] = change if known is None else merge(known, change)


def edges_of(job: UUID, datasets: RunDatasets) -> set[Edge]:
    """Return the edges of a job of which this is the latest run."""
    inputs = {Edge(job, READS, dataset_id(*name)) for name in datasets.inputs}
    return inputs | {Edge(job, WRITES, dataset_id(*name)) for name in datasets.outputs}

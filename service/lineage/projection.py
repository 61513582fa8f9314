"""Projects a page of the ledger into datasets, their versions, and lineage. Pure: events in, registers and rows out.

A page mostly tells the same of a dataset many times, so the events that tell one thing are merged as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from service.domain.column_mapping import merge_mappings
from service.domain.dataset import (
    NO_FACTS,
    DatasetRegisters,
    Role,
    dataset_registers_of,
    merge_datasets,
)
from service.domain.dataset_definitions import DatasetDefinition, SourceDefinition, TagDefinition
from service.domain.dataset_versions import ToldVersion, merge_versions, version_defined_by
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
from service.domain.registers import StampedFacet, merge_facets
from service.domain.run_datasets import RunDataset, RunDatasets, RunMoment, merge_run_datasets, run_datasets_of
from service.domain.sources_and_tags import (
    TagRegisters,
    merge_sources,
    merge_tag_registers,
    source_registers_of,
    tag_registers_of,
)
from service.domain.tags import TagChange
from service.lineage.changes import NO_JOB, READS, WRITES, DatasetEvent, Edge, LineageChanges, Link, RunKey, merge_links
from service.lineage.event_type_counts import EventTypeCounts
from service.lineage.tellings import JobTelling, Telling
from service.payloads.contents import decode_payload
from service.payloads.lineage_contents import LineageContent, ToldDataset, read_lineage

K = TypeVar("K")
V = TypeVar("V")

_STARTS = Content(starts=True)
_OPENLINEAGE = frozenset({"openlineage", "import"})

_READ, _WRITTEN, _DATASET_EVENT, _OF_JOB = map(int, (Role.READ, Role.WRITTEN, Role.DATASET_EVENT, Role.OF_JOB))
"""Plain numbers: flags are slow to combine."""


def pseudo_run(position: int) -> UUID:
    """Return the id that stands for a run where the event at a position is one of a job itself."""
    return UUID(int=position)


class PageProjection:
    """Collects the changes of a page; events are added in the order of their positions."""

    def __init__(self) -> None:
        """Begin without changes."""
        self._tellings: dict[tuple[DatasetName, int, int, JobName | None], Telling] = {}
        self._edges: dict[tuple[JobName, int, DatasetName], datetime] = {}
        self._runs: dict[RunKey, RunDatasets] = {}
        self._input_facets: dict[DatasetName, Mapping[str, StampedFacet]] = {}
        self._jobs: dict[tuple[JobName, str | None, tuple[TagChange, ...]], JobTelling] = {}
        self._changes = LineageChanges({}, [], {}, {}, self._runs, {}, {}, {}, {}, {}, EventTypeCounts())

    def add(self, event: Event, payload: str | None) -> None:
        """Add an event with its payload, which is None where it has none, or an erased one."""
        if event.kind == Kind.ERASED or event.source == MONITOR:
            return
        if event.source in _OPENLINEAGE:
            content = None if payload is None else read_lineage(payload, event.position)
            if event.subject == Subject.RUN:
                self._changes.type_counts.add(event, _STARTS if content is not None and content.starts else NO_CONTENT)
            if content is not None:
                self._add_lineage(event, content)
            elif event.subject != Subject.DATASET:
                self._tell_job(event)
        elif event.source == API:
            self._add_command(event, payload)

    def _add_lineage(self, event: Event, content: LineageContent) -> None:
        if event.subject == Subject.DATASET:
            if content.dataset is not None:
                self._add_dataset_event(event, content.dataset)
            return
        job = self._tell_job(event, content.description, content.job_tags)
        if content.inputs or content.outputs:
            self._add_run(event, job, content.inputs, content.outputs, content.location)

    def _add_dataset_event(self, event: Event, told: ToldDataset) -> None:
        self._tell(event, told, _DATASET_EVENT, None)
        self._name(event, told.name, _DATASET_EVENT, None, told.version)

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
        of_job = 0 if is_run else _OF_JOB
        named: dict[DatasetName, tuple[int, UUID | None]] = {}
        unions: tuple[dict[DatasetName, RunDataset], dict[DatasetName, RunDataset]] = ({}, {})
        moment = RunMoment.of(event)
        for direction, role, datasets in ((WRITES, _WRITTEN, outputs), (READS, _READ, inputs)):
            union = unions[direction]
            for told in datasets:
                name, version = told.name, told.version
                self._tell(event, told, role, job if direction == WRITES else None)
                if (known := named.get(name)) is not None:
                    named[name] = (known[0] | role, known[1] or version)
                else:
                    named[name] = (role | of_job, version)
                union[name] = moment.dataset(told.facets, version)
                if told.facets and direction == READS:  # such as its quality, which views of the dataset show
                    facets = union[name].facets
                    self._input_facets[name] = merge_facets(self._input_facets.get(name, {}), facets)
                self._connect((job, direction, name), event.transitioned_at)
        for name, (role, version) in named.items():
            self._name(event, name, role, run if is_run else None, version)
        found = run_datasets_of(event, unions[READS], unions[WRITES], location)
        _merge_into(self._runs, RunKey(run, job, is_run), found, merge_run_datasets)

    def _tell(self, event: Event, told: ToldDataset, role: int, job: JobName | None) -> None:
        """Add what an event tells of a dataset. `job`: the one whose mapping of columns it is."""
        facts = told.facts
        key = (told.name, id(facts), role, job if facts.mapping is not None else None)
        telling = self._tellings.get(key)
        if telling is None:
            self._tellings[key] = Telling(event, role, facts, told.version)
        else:
            telling.add(event)

    def _add_tags(self, event: Event, changes: Iterable[TagChange]) -> None:
        for change in changes:
            if change.added:
                tag = tag_registers_of(event, change.tag)
                _merge_into(self._changes.tags, tag_id(change.tag), tag, merge_tag_registers)

    def _merge_tags(self, tags: Iterable[TagRegisters]) -> None:
        for tag in tags:
            _merge_into(self._changes.tags, tag_id(tag.name), tag, merge_tag_registers)

    def _name(self, event: Event, name: DatasetName, role: int, run: UUID | None, version: UUID | None) -> None:
        row = (dataset_id(*name), event.position, event.transitioned_at, role, run, version)
        self._changes.events.append(make_tuple(DatasetEvent, row))

    def _connect(self, edge: tuple[JobName, int, DatasetName], at: datetime) -> None:
        first_at = self._edges.get(edge)
        if first_at is None or at < first_at:
            self._edges[edge] = at

    def _tell_job(self, event: Event, description: str | None = None, tags: tuple[TagChange, ...] = ()) -> JobName:
        """Add what an event tells of its job, mostly only that there is one; return the job."""
        job = make_tuple(JobName, (event.namespace or "", event.job or ""))
        key = (job, description, tags)
        telling = self._jobs.get(key)
        if telling is None:
            self._jobs[key] = JobTelling(event, description, tags)
        else:
            telling.add(event)
        return job

    def _merge_job(self, job: JobName, entry: JobEntry) -> None:
        _merge_into(self._changes.jobs, job_id(*job), entry, merge_job_entries)

    def _add_command(self, event: Event, payload: str | None) -> None:
        """Add a command of the API."""
        if event.subject == Subject.RUN:
            self._tell_job(event)
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
            at = event.transitioned_at
            told = ToldVersion(at, event.position, (at, 0, defined.digest), name, event, defined)
            _merge_into(self._changes.versions, (own, version), told, merge_versions)
            source = source_registers_of(event, defined.source)
            _merge_into(self._changes.sources, source_id(defined.source), source, merge_sources)
        found = dataset_registers_of(event, name, Role.COMMAND, NO_FACTS, defined, tags)
        _merge_into(self._changes.datasets, own, found, merge_datasets)
        self._add_tags(event, tags)
        self._name(event, name, int(Role.COMMAND), run, version)

    def changes(self) -> LineageChanges:
        """Return the changes of the events that were added."""
        for _ in self.merge():
            pass
        return self._changes

    def merge(self) -> Iterator[None]:
        """Merge what was collected of the events, in steps, so that `changes` has nothing left to do."""
        for (name, _, _, job), telling in self._tellings.items():
            self._add_telling(name, telling, job)
            yield
        for read, facets in self._input_facets.items():
            registers = DatasetRegisters(*read, read_facets=facets)
            _merge_into(self._changes.datasets, dataset_id(*read), registers, merge_datasets)
            yield
        for (told, _, _), of_job in self._jobs.items():
            self._merge_job(told, of_job.entry(told))
            self._merge_tags(of_job.tags())
            yield
        for (from_job, direction, name), first_at in self._edges.items():
            self._changes.edges[Edge(job_id(*from_job), direction, dataset_id(*name))] = first_at
            yield
        for collected in (self._tellings, self._input_facets, self._jobs, self._edges):
            collected.clear()

    def _add_telling(self, name: DatasetName, telling: Telling, job: JobName | None) -> None:
        changes, own = self._changes, dataset_id(*name)
        _merge_into(changes.datasets, own, telling.registers(name), merge_datasets)
        if telling.version is not None:
            _merge_into(changes.versions, (own, telling.version), telling.told_version(name), merge_versions)
        if (mapping := telling.mapping()) is not None and telling.role != _READ:
            mapped = (own, NO_JOB if job is None else job_id(*job))
            _merge_into(changes.mappings, mapped, mapping, merge_mappings)
        if (source := telling.source()) is not None:
            _merge_into(changes.sources, source_id(source.name), source, merge_sources)
        self._merge_tags(telling.tags())
        for alias in telling.facts.links:
            if alias != name:
                self._add_link(own, alias, telling)

    def _add_link(self, own: UUID, alias: DatasetName, telling: Telling) -> None:
        """Add another name of a dataset. To be told as such makes the name known, not its time of creation."""
        last, alias_id = telling.last.position, dataset_id(*alias)
        named = DatasetRegisters(*alias, last, seen=last, updated_at=telling.latest.transitioned_at)
        _merge_into(self._changes.datasets, alias_id, named, merge_datasets)
        link = Link(telling.first_at, telling.first_position)
        _merge_into(self._changes.links, (own, alias_id), link, merge_links)


def _merge_into(registers: dict[K, V], key: K, change: V, merge: Callable[[V, V], V]) -> None:
    known = registers.get(key)
    registers[key] = change if known is None else merge(known, change)

"""Projects a page of the ledger into the catalog's rows. Pure: events in, rows out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from service.domain.event import MONITOR, NO_CONTENT, Content, Event, Kind, Subject, make_tuple
from service.domain.ids import job_id, namespace_id
from service.domain.job import JobRegisters, job_registers_of, merge_jobs
from service.domain.namespace import NamespaceRegisters, merge_namespaces, namespace_registers_of
from service.domain.payload import EMPTY_PAYLOAD, PayloadContent
from service.domain.run import MAX_JOBS, RunRegisters, apply_event, run_registers_of
from service.ledger.aggregates import AGGREGATES, CATALOG_AGGREGATES
from service.ledger.stored_registers import pack_registers
from service.payloads.contents import decode_payload
from service.payloads.records import read_record

T = TypeVar("T")
K = TypeVar("K")
N = TypeVar("N", JobRegisters, NamespaceRegisters)


class CatalogRun(NamedTuple):
    """A run in the catalog: its registers, and the number of its events that are in no summary (summarizer.py)."""

    registers: RunRegisters
    since: int


class RunEvent(NamedTuple):
    """An event of a run, and the content of its payload."""

    event: Event
    content: Content


class PageChanges(NamedTuple):
    """What a page of events changes: events of runs, in the order of positions; registers of jobs and namespaces.

    `dataset_namespaces`: the names of the namespaces of datasets.
    """

    runs: list[RunEvent]
    jobs: dict[UUID, JobRegisters]
    namespaces: dict[UUID, NamespaceRegisters]
    dataset_namespaces: Collection[str] = frozenset()


class RunRow(NamedTuple):
    """A row of the table `runs`; `since` is the number of events that are in no summary."""

    id: UUID
    position: int
    job_id: UUID
    namespace: str
    job: str
    state: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    parent_run: UUID | None
    registers: bytes
    since: int
    contradicted: bool
    restarted: bool


class RunOfJob(NamedTuple):
    """A row of the table `run_jobs`: a run that names a job which is not its own."""

    job_id: UUID
    run_id: UUID
    created_at: datetime


class CrossingRun(NamedTuple):
    """A row of the table `crossing_runs`: a run, one of its jobs, and the ids of the namespaces of all of its jobs."""

    run_id: UUID
    job_id: UUID
    namespaces: tuple[UUID, ...]


class _Mentions:
    """The events of a page that name a job or a namespace and carry no more about it: they are merged as one event."""

    __slots__ = ("earliest", "last")

    def __init__(self, event: Event) -> None:
        self.earliest = event.transitioned_at
        self.last = event

    def add(self, event: Event) -> None:
        if event.position > self.last.position:
            self.last = event
        if event.transitioned_at < self.earliest:
            self.earliest = event.transitioned_at

    def as_event(self) -> Event:
        """Return one event that has the same effect on the job, or on the namespace, as all of them."""
        return self.last._replace(transitioned_at=self.earliest)


class PageProjection:
    """Collects the changes of a page; events are added in the order of their positions."""

    def __init__(self) -> None:
        """Begin without changes."""
        self._changes = PageChanges([], {}, {})
        self._jobs: dict[tuple[str, str], _Mentions] = {}
        self._namespaces: dict[str, _Mentions] = {}
        self._dataset_namespaces: set[str] = set()

    def add(self, event: Event, payload: str | None) -> None:
        """Add an event. A run defines the job and namespace that it names, a job its namespace."""
        namespace, job = event.namespace, event.job
        if namespace is None or event.subject not in CATALOG_AGGREGATES:
            if namespace is not None and event.subject == Subject.DATASET:
                self._dataset_namespaces.add(namespace)
            return
        if event.kind == Kind.ERASED:
            self._add_erasure(event)
            return
        decoded = EMPTY_PAYLOAD if payload is None else decode_payload(event, payload)
        if event.subject == Subject.RUN:
            self._changes.runs.append(make_tuple(RunEvent, (event, decoded.content)))
            if event.source == MONITOR:
                return  # no report named the job: a deleted one stays deleted
            if _is_mention(decoded.content):
                _mention(self._jobs, (namespace, job or ""), event)
                return
            _mention(self._namespaces, namespace, event)
            _merge_into(self._changes.jobs, job_id(namespace, job or ""), _job_of(event, decoded), merge_jobs)
            return
        if event.subject != Subject.NAMESPACE:
            _merge_into(self._changes.jobs, job_id(namespace, job or ""), _job_of(event, decoded), merge_jobs)
        named = AGGREGATES[Subject.NAMESPACE].from_event(event, decoded)
        _merge_into(self._changes.namespaces, namespace_id(namespace), named, merge_namespaces)

    def _add_erasure(self, event: Event) -> None:
        """Move the position of the event's stream; erasure_replay.py removes the payload's content from registers."""
        if event.subject == Subject.RUN:
            self._changes.runs.append(RunEvent(event, NO_CONTENT))
            return
        aggregate = AGGREGATES[Subject(event.subject)]
        changes: dict[UUID, Any] = self._changes.jobs if event.subject == Subject.JOB else self._changes.namespaces
        _merge_into(changes, event.stream, aggregate.from_event(event, EMPTY_PAYLOAD), aggregate.merge)

    def changes(self) -> PageChanges:
        """Return the changes of the events that were added."""
        for (namespace, job), mentions in self._jobs.items():
            event = mentions.as_event()
            _merge_into(self._changes.jobs, job_id(namespace, job), job_registers_of(event), merge_jobs)
            _mention(self._namespaces, namespace, event)
        for namespace, mentions in self._namespaces.items():
            named = namespace_registers_of(mentions.as_event())
            _merge_into(self._changes.namespaces, namespace_id(namespace), named, merge_namespaces)
        self._jobs.clear()
        self._namespaces.clear()
        return self._changes._replace(dataset_namespaces=self._dataset_namespaces)


def project_runs(before: Mapping[UUID, CatalogRun], run_events: Iterable[RunEvent]) -> dict[UUID, CatalogRun]:
    """Apply the events of a page, in the order of positions, to the runs as they were before it."""
    runs: dict[UUID, CatalogRun] = {}
    for event, content in run_events:
        run_id = event.stream
        run = runs.get(run_id) or before.get(run_id)
        if run is None:
            runs[run_id] = CatalogRun(run_registers_of(event, content), 1)
            continue
        runs[run_id] = make_tuple(CatalogRun, (apply_event(run.registers, event, content), run.since + 1))
    return runs


def _is_mention(content: Content) -> bool:
    """Whether an event of a run with this content tells no more of its job than the name."""
    return not content.job_facets and content.inputs is None and content.outputs is None


def _mention(mentions: dict[K, _Mentions], name: K, event: Event) -> None:
    known = mentions.get(name)
    if known is None:
        mentions[name] = _Mentions(event)
    else:
        known.add(event)


def _job_of(event: Event, decoded: PayloadContent) -> JobRegisters:
    job: JobRegisters = AGGREGATES[Subject.JOB].from_event(event, decoded)
    return job


def _merge_into(registers: dict[UUID, T], key: UUID, change: T, merge: Callable[[T, T], T]) -> None:
    known = registers.get(key)
    registers[key] = change if known is None else merge(known, change)


def run_row(run_id: UUID, catalog_run: CatalogRun) -> RunRow:
    """Return a run's row. Raises ValueError for registers without an event."""
    run, since = catalog_run
    created, ended = run.created, run.ended
    if created is None:
        raise ValueError(f"run {run_id} has no event")
    row = (
        run_id,
        run.position,
        job_id(created.namespace, created.job),
        created.namespace,
        created.job,
        run.state,
        created.at,
        run.started_at,
        ended.at if ended else None,
        run.parent_run.run if run.parent_run else None,
        pack_registers(run),
        since,
        bool(run.overruled),
        run.latest_start is not None and run.restarted_at is not None,
    )
    return make_tuple(RunRow, row)


def runs_of_other_jobs(runs: Mapping[UUID, CatalogRun]) -> set[RunOfJob]:
    """Return the rows of `run_jobs` of runs; nearly all runs have none."""
    return {
        RunOfJob(job_id(*name), run_id, run.created.at)
        for run_id, (run, _) in runs.items()
        if run.jobs and run.created is not None
        for name in run.other_jobs
    }


_UNKNOWN_NAMESPACE = UUID(int=0)


def crossing_runs(runs: Mapping[UUID, CatalogRun]) -> set[CrossingRun]:
    """Return the rows of `crossing_runs` of runs; nearly all runs have none."""
    return {
        CrossingRun(run_id, job_id(*name), namespaces)
        for run_id, (run, _) in runs.items()
        if run.jobs and run.job is not None and (namespaces := _crossed_namespaces(run))
        for name in {run.job, *run.jobs}
    }


def _crossed_namespaces(run: RunRegisters) -> tuple[UUID, ...]:
    """Return the ids of the namespaces of a run's jobs where there are several, or not all jobs are known; else ()."""
    if len(run.jobs) >= MAX_JOBS:
        return (_UNKNOWN_NAMESPACE,)
    own = [run.job] if run.job is not None else []
    ids = sorted({namespace_id(name.namespace) for name in (*own, *run.jobs)})
    return tuple(ids) if len(ids) > 1 else ()


def job_row(identity: UUID, job: JobRegisters) -> tuple[object, ...]:
    """Return a job's row."""
    return (
        identity,
        job.position,
        namespace_id(job.namespace),
        job.namespace,
        job.name,
        job.hidden,
        job.updated_at,
        pack_registers(job),
        job.seen,
    )


def namespace_row(identity: UUID, namespace: NamespaceRegisters) -> tuple[object, ...]:
    """Return a namespace's row."""
    registers = pack_registers(namespace)
    return identity, namespace.position, namespace.name, namespace.hidden, registers, namespace.deleted


ROW_BUILDERS: Mapping[Subject, Callable[[UUID, Any], tuple[object, ...]]] = {
    Subject.JOB: job_row,
    Subject.NAMESPACE: namespace_row,
}
"""How registers become a row, by subject; runs have run_row."""


def group_erasures(erasures: Iterable[tuple[Event, str | None]]) -> dict[tuple[Subject, UUID], list[int]]:
    """Return the streams whose registers may hold erased payloads, each with the positions of those payloads.

    A payload of a run's event sets registers of the run and of its job.
    """
    groups: dict[tuple[Subject, UUID], list[int]] = {}
    for event, payload in erasures:
        if event.subject not in CATALOG_AGGREGATES or payload is None:
            continue
        subject, position = Subject(event.subject), read_record(payload).position
        groups.setdefault((subject, event.stream), []).append(position)
        if subject is Subject.RUN:
            groups.setdefault((Subject.JOB, job_id(event.namespace or "", event.job or "")), []).append(position)
    return groups


ALL_JOBS = UUID(int=0)
"""Stands for all jobs in counters of runs by mark, which are no states of a single job."""

CONTRADICTED, RESTARTED, INFERRED = "contradicted", "restarted", "inferred"
"""Marks of runs: ends in several states were reported; a START was reported after the end; the end is inferred."""


def count_changes(before: Mapping[UUID, CatalogRun], after: Mapping[UUID, CatalogRun]) -> dict[tuple[UUID, str], int]:
    """Return by how much the number of runs changes, by job and state, and by mark."""
    counts: dict[tuple[UUID, str], int] = {}
    for run_id, run in after.items():
        old = _counters(before[run_id].registers) if run_id in before else []
        new = _counters(run.registers)
        if old == new:
            continue
        for key in old:
            counts[key] = counts.get(key, 0) - 1
        for key in new:
            counts[key] = counts.get(key, 0) + 1
    return {key: change for key, change in counts.items() if change}


def _counters(run: RunRegisters) -> list[tuple[UUID, str]]:
    """Return the counters that count a run."""
    created = run.created
    if created is None:
        return []
    state = run.state
    counters: list[tuple[UUID, str]] = [(job_id(created.namespace, created.job), state)]
    if run.jobs:
        counters += [(job_id(*name), state) for name in run.other_jobs]
    if run.overruled:
        counters.append((ALL_JOBS, CONTRADICTED))
    if run.latest_start is not None and run.restarted_at is not None:
        counters.append((ALL_JOBS, RESTARTED))
    if run.inferred is not None and run.is_inferred:
        counters.append((ALL_JOBS, INFERRED))
    return counters


def inferred_changes(
    before: Mapping[UUID, CatalogRun], after: Mapping[UUID, CatalogRun]
) -> tuple[list[UUID], list[UUID]]:
    """Return the runs whose end is inferred from now on, and those whose end no longer is."""
    begins: list[UUID] = []
    ends: list[UUID] = []
    for run_id, (run, _) in after.items():
        if run.inferred is not None:
            was = run_id in before and before[run_id].registers.is_inferred
            if was is not run.is_inferred:
                (ends if was else begins).append(run_id)
    return begins, ends


class SettingRow(NamedTuple):
    """A row of the table `silence_settings`: of a job or namespace, by its id."""

    id: UUID
    position: int
    seconds: int | None


def changed_settings(before: Mapping[UUID, N], after: Mapping[UUID, N]) -> list[SettingRow]:
    """Return the settings for silent runs that changed, of jobs or of namespaces; nearly no event has one."""
    return [
        SettingRow(identity, setting.position, setting.seconds)
        for identity, registers in after.items()
        if (setting := registers.silent_after) is not None
        and (identity not in before or before[identity].silent_after != setting)
    ]

"""Folds a page of the ledger into the catalog's rows. Pure: rows in, rows out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from service.domain.event import NO_CONTENT, Content, Event, Kind, Subject, make_tuple
from service.domain.ids import job_id, namespace_id
from service.domain.job import JobRegisters, job_registers_of, merge_jobs
from service.domain.namespace import NamespaceRegisters, merge_namespaces, namespace_registers_of
from service.domain.payload import EMPTY_PAYLOAD
from service.domain.run import RunRegisters, apply_event, run_registers_of
from service.ledger import aggregates
from service.ledger.aggregates import AGGREGATES
from service.payloads.contents import decode_payload
from service.payloads.records import read_record

T = TypeVar("T")


SNAPSHOT_INTERVAL = 128
"""Events of a run from one snapshot of its registers to the next."""


class CatalogRun(NamedTuple):
    """A run as it stands: its registers, and how many events were folded into them since the last snapshot."""

    registers: RunRegisters
    since: int


class RunEvent(NamedTuple):
    """An event of a run, and what its payload says."""

    event: Event
    content: Content


class PageChanges(NamedTuple):
    """What a page of events says: of runs, event by event in the order of positions; of jobs and namespaces, merged."""

    runs: list[RunEvent]
    jobs: dict[UUID, JobRegisters]
    namespaces: dict[UUID, NamespaceRegisters]


class ProjectedRuns(NamedTuple):
    """Runs as they stand after a page, and snapshots that fell due within it."""

    standing: dict[UUID, CatalogRun]
    snapshots: list[tuple[UUID, RunRegisters]]


class RunRow(NamedTuple):
    """A row of runs."""

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


class _Mentions:
    """A job's plain events of a page, which say no more of it than that it was heard of: enough to make one of them."""

    __slots__ = ("earliest", "last")

    def __init__(self, event: Event) -> None:
        self.earliest = event.transitioned_at
        self.last = event

    def add(self, event: Event) -> None:
        self.last = event
        if event.transitioned_at < self.earliest:
            self.earliest = event.transitioned_at

    def as_event(self) -> Event:
        """Return the one event that says of a job or namespace what all of them say."""
        return self.last._replace(transitioned_at=self.earliest)


class PageProjection:
    """A page in the making; events come in the order of their positions."""

    def __init__(self) -> None:
        """Begin with an empty page."""
        self._page = PageChanges([], {}, {})
        self._mentions: dict[tuple[str, str], _Mentions] = {}

    def add(self, event: Event, payload: str | None) -> None:
        """Fold one event. Runs define the jobs and namespaces they name, jobs their namespaces."""
        namespace, job = event.namespace, event.job
        if namespace is None or event.subject not in AGGREGATES:
            return
        if event.kind == Kind.ERASED:
            self._take_note(event)
            return
        decoded = EMPTY_PAYLOAD if payload is None else decode_payload(event, payload)
        if event.subject == Subject.RUN:
            self._page.runs.append(make_tuple(RunEvent, (event, decoded.content)))
            if payload is None or event.source == "api":
                self._mention(namespace, job or "", event)
                return
        if event.subject != Subject.NAMESPACE:
            _merge_into(
                self._page.jobs,
                job_id(namespace, job or ""),
                AGGREGATES[Subject.JOB].from_event(event, decoded),
                merge_jobs,
            )
        named = AGGREGATES[Subject.NAMESPACE].from_event(event, decoded)
        _merge_into(self._page.namespaces, namespace_id(namespace), named, merge_namespaces)

    def _take_note(self, event: Event) -> None:
        """An erasure moves its own stream on; what it takes away is folded anew (service/refold.py)."""
        if event.subject == Subject.RUN:
            self._page.runs.append(RunEvent(event, NO_CONTENT))
            return
        aggregate = AGGREGATES[Subject(event.subject)]
        found: dict[UUID, Any] = self._page.jobs if event.subject == Subject.JOB else self._page.namespaces
        _merge_into(found, event.stream, aggregate.from_event(event, EMPTY_PAYLOAD), aggregate.merge)

    def _mention(self, namespace: str, job: str, event: Event) -> None:
        mentions = self._mentions.get((namespace, job))
        if mentions is None:
            self._mentions[namespace, job] = _Mentions(event)
        else:
            mentions.add(event)

    def page(self) -> PageChanges:
        """Return what was folded."""
        for (namespace, job), mentions in self._mentions.items():
            event = mentions.as_event()
            _merge_into(self._page.jobs, job_id(namespace, job), job_registers_of(event), merge_jobs)
            named = namespace_registers_of(event)
            _merge_into(self._page.namespaces, namespace_id(namespace), named, merge_namespaces)
        self._mentions.clear()
        return self._page


def project_runs(before: Mapping[UUID, CatalogRun], told: Iterable[RunEvent]) -> ProjectedRuns:
    """Merge what a page says of runs into the runs as they stand before it."""
    runs = ProjectedRuns({}, [])
    for event, content in told:
        run_id = event.stream
        standing = runs.standing.get(run_id) or before.get(run_id)
        if standing is None:
            runs.standing[run_id] = CatalogRun(run_registers_of(event, content), 1)
            continue
        merged, since = apply_event(standing.registers, event, content), standing.since + 1
        if since >= SNAPSHOT_INTERVAL:
            runs.snapshots.append((run_id, merged))
            since = 0
        runs.standing[run_id] = make_tuple(CatalogRun, (merged, since))
    return runs


def _merge_into(found: dict[UUID, T], key: UUID, part: T, merge_two: Callable[[T, T], T]) -> None:
    standing = found.get(key)
    found[key] = part if standing is None else merge_two(standing, part)


def run_row(run_id: UUID, standing: CatalogRun) -> RunRow:
    """Return a run's row."""
    run, since = standing
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
        run.parent_run[2] if run.parent_run else None,
        aggregates.pack_registers(run),
        since,
    )
    return make_tuple(RunRow, row)


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
        aggregates.pack_registers(job),
    )


def namespace_row(identity: UUID, namespace: NamespaceRegisters) -> tuple[object, ...]:
    """Return a namespace's row."""
    return identity, namespace.position, namespace.name, namespace.hidden, aggregates.pack_registers(namespace)


ROW_BUILDERS: Mapping[Subject, Callable[[UUID, Any], tuple[object, ...]]] = {
    Subject.JOB: job_row,
    Subject.NAMESPACE: namespace_row,
}
"""How the registers of what is no run become its row."""


def group_erasures(erasures: Iterable[tuple[Event, str | None]]) -> dict[tuple[Subject, UUID], list[int]]:
    """Return what has to be folded anew because payloads were erased, and the positions of those."""
    parts: dict[tuple[Subject, UUID], list[int]] = {}
    for event, payload in erasures:
        if event.subject not in AGGREGATES or payload is None:
            continue
        subject, position = Subject(event.subject), read_record(payload).position
        parts.setdefault((subject, event.stream), []).append(position)
        if subject is Subject.RUN:
            parts.setdefault((Subject.JOB, job_id(event.namespace or "", event.job or "")), []).append(position)
    return parts


def count_changes(before: Mapping[UUID, CatalogRun], after: Mapping[UUID, RunRow]) -> dict[tuple[UUID, str], int]:
    """Return by how many each (job, state) changes."""
    counts: dict[tuple[UUID, str], int] = {}
    for run_id, row in after.items():
        standing = before.get(run_id)
        if standing is not None and standing.registers.created is not None:
            old, created = standing.registers, standing.registers.created
            was = (job_id(created.namespace, created.job), old.state)
            if was == (row.job_id, row.state):
                continue
            counts[was] = counts.get(was, 0) - 1
        counts[row.job_id, row.state] = counts.get((row.job_id, row.state), 0) + 1
    return {key: change for key, change in counts.items() if change}

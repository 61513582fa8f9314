"""Folds a page of the ledger into the catalog's rows. Pure: rows in, rows out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from service import registers
from service.content import say
from service.definitions import (
    JobRegisters,
    NamespaceRegisters,
    merge_jobs,
    merge_namespaces,
)
from service.domain import Event, RunRegisters, Subject, merge, stream_of
from service.subjects import SHAPES


class Page(NamedTuple):
    """What a page of events adds, by the id of what it adds to."""

    runs: dict[UUID, RunRegisters]
    jobs: dict[UUID, JobRegisters]
    namespaces: dict[UUID, NamespaceRegisters]


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


@lru_cache(maxsize=10_000)
def job_id(namespace: str, job: str) -> UUID:
    """Return a job's stream."""
    return stream_of(namespace, job)


@lru_cache(maxsize=10_000)
def namespace_id(namespace: str) -> UUID:
    """Return a namespace's stream."""
    return stream_of(namespace)


def fold_page(events: Iterable[tuple[Event, str | None]]) -> Page:
    """Fold events, each with its payload. Runs define the jobs and namespaces they name, jobs their namespaces."""
    page = Page({}, {}, {})
    for event, payload in events:
        if event.namespace is None or event.subject not in SHAPES:
            continue
        said = say(event, payload)
        if event.subject == Subject.RUN:
            part = SHAPES[Subject.RUN].of(event, said)
            standing = page.runs.get(event.stream)
            page.runs[event.stream] = part if standing is None else merge(standing, part)
        if event.subject != Subject.NAMESPACE:
            _add_job(page, event, SHAPES[Subject.JOB].of(event, said))
        name_id = namespace_id(event.namespace)
        named = SHAPES[Subject.NAMESPACE].of(event, said)
        before = page.namespaces.get(name_id)
        page.namespaces[name_id] = named if before is None else merge_namespaces(before, named)
    return page


def _add_job(page: Page, event: Event, part: JobRegisters) -> None:
    identity = job_id(event.namespace or "", event.job or "")
    standing = page.jobs.get(identity)
    page.jobs[identity] = part if standing is None else merge_jobs(standing, part)


def run_row(run_id: UUID, run: RunRegisters) -> RunRow:
    """Return a run's row."""
    created, ended = run.created, run.ended
    if created is None:
        raise ValueError(f"run {run_id} has no event")
    return RunRow(
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
        registers.pack(run),
    )


def count_changes(before: Mapping[UUID, RunRegisters], after: Mapping[UUID, RunRegisters]) -> Counter[tuple[UUID, str]]:
    """Return by how many each (job, state) changes."""
    counts: Counter[tuple[UUID, str]] = Counter()
    for run_id, run in after.items():
        old = before.get(run_id)
        if run.created:
            counts[job_id(run.created.namespace, run.created.job), run.state] += 1
        if old and old.created:
            counts[job_id(old.created.namespace, old.created.job), old.state] -= 1
    return Counter({key: change for key, change in counts.items() if change})

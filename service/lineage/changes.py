"""What a page of events changes of datasets and lineage: registers, and rows."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.domain.column_mapping import ColumnMapping
from service.domain.dataset import DatasetRegisters
from service.domain.dataset_versions import ToldVersion
from service.domain.event import JobName
from service.domain.ids import dataset_id
from service.domain.job_entry import JobEntry
from service.domain.run_datasets import RunDatasets
from service.domain.sources_and_tags import SourceRegisters, TagRegisters
from service.lineage.event_type_counts import EventTypeCounts

READS, WRITES = 0, 1
"""Directions of edges: the job reads the dataset, or writes it."""

NO_JOB = UUID(int=0)
"""Stands for the job of a column mapping that a DatasetEvent tells."""


class RunKey(NamedTuple):
    """A run of a job; an event of a job itself counts as a run, with the id of pseudo_run."""

    run: UUID
    job: JobName
    is_run: bool


class Edge(NamedTuple):
    """That a job reads or writes a dataset."""

    job: UUID
    direction: int
    dataset: UUID


class DatasetEvent(NamedTuple):
    """That an event names a dataset: a row of runfold.dataset_events."""

    dataset: UUID
    position: int
    at: datetime
    role: int
    run: UUID | None
    version: UUID | None


class Link(NamedTuple):
    """That one name of a dataset is told in an event of the other one, since when, and first at which position."""

    at: datetime
    position: int


class LineageChanges(NamedTuple):
    """What a page of events changes; `edges`: with the earliest time of an event that tells them."""

    datasets: dict[UUID, DatasetRegisters]
    events: list[DatasetEvent]
    versions: dict[tuple[UUID, UUID], ToldVersion]
    links: dict[tuple[UUID, UUID], Link]
    runs: dict[RunKey, RunDatasets]
    edges: dict[Edge, datetime]
    mappings: dict[tuple[UUID, UUID], ColumnMapping]
    sources: dict[UUID, SourceRegisters]
    tags: dict[UUID, TagRegisters]
    jobs: dict[UUID, JobEntry]
    type_counts: EventTypeCounts


def merge_links(a: Link, b: Link) -> Link:
    """Merge two parts of what is known of a link."""
    return Link(min(a.at, b.at), min(a.position, b.position))


def edges_of(job: UUID, datasets: RunDatasets) -> set[Edge]:
    """Return the edges of a job of which this is the latest run."""
    inputs = {Edge(job, READS, dataset_id(*name)) for name in datasets.inputs}
    return inputs | {Edge(job, WRITES, dataset_id(*name)) for name in datasets.outputs}

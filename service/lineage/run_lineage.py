"""Reads what runs read and wrote: the versions of their datasets, and that of their job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from service.catalog.batches import Pauses
from service.catalog.queries import PAGE_BYTES, load_page
from service.database.connections import Connections
from service.domain.binding import Binding
from service.domain.dataset_versions import dataset_version_id
from service.domain.event import DatasetName, JobName
from service.domain.ids import dataset_id, job_id
from service.domain.registers import StampedFacet
from service.domain.run import NO_DATASETS, RunRegisters
from service.domain.run_datasets import RunDataset, RunDatasets, merge_run_datasets
from service.lineage.stored import unpack_run_datasets
from service.lineage.versions_at import UNTIL, DatasetMoment

T = TypeVar("T")

_OF_RUNS = load_page("datasets_of_runs")

_LARGE_BYTES = 64 * 1024
"""Bytes of the registers of one run that take some milliseconds to unpack; what has more is dealt with in a thread."""

_MANY_DATASETS = 300
"""Datasets of one run that take as long."""


class RunDatasetVersion(NamedTuple):
    """A version of a dataset that a run read or wrote, and the facets that the run tells of that."""

    dataset: DatasetName
    version: UUID
    facets: Mapping[str, StampedFacet]


class RunLineage(NamedTuple):
    """What a run read and wrote; `is_omitted`: not read, because that of the runs before takes too much space."""

    job: JobName | None
    job_version: UUID | None
    inputs: Sequence[RunDatasetVersion]
    outputs: Sequence[RunDatasetVersion]
    is_omitted: bool = False


_OMITTED = RunLineage(None, None, (), (), is_omitted=True)


class LineageOfRuns(NamedTuple):
    """What runs read and wrote, of those that did. `known`: so many of the runs, from the first on, were read."""

    found: Mapping[UUID, RunLineage]
    known: int


class Moment(NamedTuple):
    """As what is asked: what events tell up to a time and a position; None: any."""

    at: datetime | None = None
    position: int | None = None


NOW = Moment()


class RunLineageReader:
    """Reads what is projected of runs. Every method raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def read(
        self, runs: Sequence[tuple[UUID, RunRegisters]], binding: Binding | None, moment: Moment = NOW
    ) -> LineageOfRuns:
        """Return what runs read and wrote; it is omitted of those behind the first ones that take PAGE_BYTES.

        Nothing is asked for those whose events name no datasets. Datasets that are not within the binding of an API key
        are left out.
        """
        jobs = {run: registers.job for run, registers in runs if registers.datasets_position != NO_DATASETS}
        if not jobs:
            return LineageOfRuns({}, len(runs))
        rows = await self._connections.fetch(_OF_RUNS, list(jobs), PAGE_BYTES)
        known = _known(runs, rows)
        omitted = {run for run, _ in runs[known:] if run in jobs}
        read = [row for row in rows if row["run_id"] not in omitted] if omitted else rows
        pauses = Pauses()
        named = await _unpack(read, moment, binding, pauses)
        wanted = await _untold_versions(named, pauses)
        versions: dict[DatasetMoment, UUID] = {}
        if wanted:
            found = await self._connections.fetch(UNTIL, *zip(*wanted, strict=True))
            versions = {(row["id"], row["at"]): row["version"] for row in found}
        lineage = await _lineage_of(named, jobs, versions, pauses)
        return LineageOfRuns(lineage | dict.fromkeys(omitted, _OMITTED), known)


async def _call(function: Callable[..., T], *arguments: object, in_thread: bool) -> T:
    """Call a function that does not wait: in a thread, so that other requests are answered meanwhile, or at once.

    Threads are for the few runs that are large: for each run, they would take longer than the work.
    """
    return await asyncio.to_thread(function, *arguments) if in_thread else function(*arguments)


class _Named(NamedTuple):
    """The datasets that a run names, and those of them that a key may see.

    `job`, `job_version`: the id of the job that has all of these datasets, and its version; None where there is no such
    job, or the version is that of a moment.
    """

    datasets: RunDatasets
    visible: RunDatasets
    job: UUID | None
    job_version: UUID | None

    @property
    def is_large(self) -> bool:
        """Whether there are many datasets."""
        return len(self.datasets.inputs) + len(self.datasets.outputs) > _MANY_DATASETS

    def version_of(self, job: JobName) -> UUID:
        """Return the version of the run's job."""
        if self.job_version is not None and self.job == job_id(*job):
            return self.job_version
        return self.datasets.job_version(job)


async def _unpack(rows: Iterable[Any], moment: Moment, binding: Binding | None, pauses: Pauses) -> dict[UUID, _Named]:
    found: dict[UUID, tuple[RunDatasets, UUID | None, UUID | None]] = {}
    for row in rows:
        await pauses.pause()
        stored, before = row["registers"], found.get(row["run_id"])
        datasets = await _call(unpack_run_datasets, stored, in_thread=len(stored) > _LARGE_BYTES)
        merged = None if before is None else merge_run_datasets(before[0], datasets)
        found[row["run_id"]] = (merged, None, None) if merged else (datasets, row["job_id"], row["job_version"])
    named = {}
    for run, (datasets, job, version) in found.items():
        then = _named_by(datasets, moment)
        named[run] = _Named(then, _within(then, binding), job, version if moment == NOW else None)
    return named


async def _untold_versions(named: Mapping[UUID, _Named], pauses: Pauses) -> set[DatasetMoment]:
    """Return the datasets of which a run tells no version itself, with the time at which their versions are wanted."""
    wanted: set[DatasetMoment] = set()
    for each in named.values():
        await pauses.pause()
        wanted |= await _call(_untold_by, each.visible, in_thread=each.is_large)
    return wanted


def _untold_by(datasets: RunDatasets) -> set[DatasetMoment]:
    return {
        (dataset_id(*name), dataset.moments[0].at)
        for named in (datasets.inputs, datasets.outputs)
        for name, dataset in named.items()
        if dataset.version is None
    }


async def _lineage_of(
    named: Mapping[UUID, _Named],
    jobs: Mapping[UUID, JobName | None],
    versions: Mapping[DatasetMoment, UUID],
    pauses: Pauses,
) -> dict[UUID, RunLineage]:
    lineage = {}
    for run, each in named.items():
        await pauses.pause()
        visible, job = each.visible, jobs[run]
        if job is not None and (visible.inputs or visible.outputs):
            lineage[run] = await _call(_lineage_of_run, job, each, versions, in_thread=each.is_large)
    return lineage


def _lineage_of_run(job: JobName, named: _Named, versions: Mapping[DatasetMoment, UUID]) -> RunLineage:
    inputs, outputs = _versions_of(named.visible.inputs, versions), _versions_of(named.visible.outputs, versions)
    return RunLineage(job, named.version_of(job), inputs, outputs)


def _known(runs: Sequence[tuple[UUID, RunRegisters]], rows: Sequence[Any]) -> int:
    """Return of how many runs, from the first on, all rows were read, which are in the order of the runs."""
    if not rows or len(rows) == rows[0]["found"]:
        return len(runs)
    return next(index for index, (run, _) in enumerate(runs) if run == rows[-1]["run_id"])


def _named_by(datasets: RunDatasets, moment: Moment) -> RunDatasets:
    """Return the datasets that were named by then."""
    return datasets if moment == NOW else _where(datasets, lambda _, dataset: dataset.is_known(*moment))


def _within(datasets: RunDatasets, binding: Binding | None) -> RunDatasets:
    """Return the datasets that are within a binding."""
    return datasets if binding is None else _where(datasets, lambda name, _: binding.allows(name.namespace))


def _where(datasets: RunDatasets, chosen: Callable[[DatasetName, RunDataset], bool]) -> RunDatasets:
    inputs, outputs = (
        {name: dataset for name, dataset in named.items() if chosen(name, dataset)}
        for named in (datasets.inputs, datasets.outputs)
    )
    return datasets._replace(inputs=inputs, outputs=outputs)


def _versions_of(
    datasets: Mapping[DatasetName, RunDataset], versions: Mapping[DatasetMoment, UUID]
) -> list[RunDatasetVersion]:
    """Return the version of each dataset: the one that the run tells, else that of its time."""
    return [
        RunDatasetVersion(
            name, told.version if (told := dataset.version) else _then(name, dataset, versions), dataset.facets
        )
        for name, dataset in sorted(datasets.items())
    ]


def _then(name: DatasetName, dataset: RunDataset, versions: Mapping[DatasetMoment, UUID]) -> UUID:
    """Return the version that a dataset had when the run named it, else that of a dataset without a schema."""
    return versions.get((dataset_id(*name), dataset.moments[0].at)) or dataset_version_id(name, ())

"""Reads what runs read and wrote: the versions of their datasets, and that of their job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

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
"""Bytes of registers that take some milliseconds to unpack; more of them are unpacked in a thread."""


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
        is_large = sum(len(row["registers"]) for row in rows) > _LARGE_BYTES
        read = [row for row in rows if row["run_id"] not in omitted]
        named = await _call(_unpack, read, moment, binding, in_thread=is_large)
        wanted = await _call(_untold_versions, named, in_thread=is_large)
        versions: dict[DatasetMoment, UUID] = {}
        if wanted:
            found = await self._connections.fetch(UNTIL, *zip(*wanted, strict=True))
            versions = {(row["id"], row["at"]): row["version"] for row in found}
        lineage = await _call(_lineage_of, named, jobs, versions, in_thread=is_large)
        return LineageOfRuns(lineage | dict.fromkeys(omitted, _OMITTED), known)


async def _call(function: Callable[..., T], *arguments: object, in_thread: bool) -> T:
    """Call a function that does not wait: in a thread, so that other requests are answered meanwhile, or at once."""
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

    def version_of(self, job: JobName) -> UUID:
        """Return the version of the run's job."""
        if self.job_version is not None and self.job == job_id(*job):
            return self.job_version
        return self.datasets.job_version(job)


def _unpack(rows: Iterable[Any], moment: Moment, binding: Binding | None) -> dict[UUID, _Named]:
    found: dict[UUID, tuple[RunDatasets, UUID | None, UUID | None]] = {}
    for row in rows:
        datasets, before = unpack_run_datasets(row["registers"]), found.get(row["run_id"])
        merged = None if before is None else merge_run_datasets(before[0], datasets)
        found[row["run_id"]] = (merged, None, None) if merged else (datasets, row["job_id"], row["job_version"])
    named = {}
    for run, (datasets, job, version) in found.items():
        then = _named_by(datasets, moment)
        named[run] = _Named(then, _within(then, binding), job, version if moment == NOW else None)
    return named


def _untold_versions(named: Mapping[UUID, _Named]) -> set[DatasetMoment]:
    """Return the datasets of which a run tells no version itself, with the time at which their versions are wanted."""
    return {
        (dataset_id(*name), dataset.moments[0].at)
        for each in named.values()
        for name, dataset in (*each.visible.inputs.items(), *each.visible.outputs.items())
        if dataset.version is None
    }


def _lineage_of(
    named: Mapping[UUID, _Named], jobs: Mapping[UUID, JobName | None], versions: Mapping[DatasetMoment, UUID]
) -> dict[UUID, RunLineage]:
    lineage = {}
    for run, each in named.items():
        visible = each.visible
        if (job := jobs[run]) is not None and (visible.inputs or visible.outputs):
            inputs, outputs = _versions_of(visible.inputs, versions), _versions_of(visible.outputs, versions)
            lineage[run] = RunLineage(job, each.version_of(job), inputs, outputs)
    return lineage


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
    return [
        RunDatasetVersion(name, _version(name, datasets[name], versions), datasets[name].facets)
        for name in sorted(datasets)
    ]


def _version(name: DatasetName, dataset: RunDataset, versions: Mapping[DatasetMoment, UUID]) -> UUID:
    """Return the version that a run tells, else the one of its time, else that of a dataset without a schema."""
    if dataset.version is not None:
        return dataset.version.version
    return versions.get((dataset_id(*name), dataset.moments[0].at)) or dataset_version_id(name, ())

"""Reads versions of jobs: what their runs read and wrote, and where their code is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from service.catalog.batches import Pauses
from service.catalog.queries import PAGE_BYTES, Slice, load_page
from service.database.connections import Connections
from service.database.statements import load
from service.domain.binding import Binding
from service.domain.event import DatasetName, JobName
from service.domain.ids import job_id
from service.lineage.stored import unpack_run_datasets

MAX_VERSIONS = 10_000
"""Versions of a job that are looked at."""

_LIST, _ONE, _CURRENT = load_page("list_job_versions"), load("job_version"), load("current_job_versions")


class JobVersion(NamedTuple):
    """A version of a job, and the latest run that has it; None where a definition has."""

    job: JobName
    id: UUID
    created_at: datetime
    location: str | None
    inputs: list[DatasetName]
    outputs: list[DatasetName]
    run: UUID | None


class JobVersions:
    """Reads versions of jobs. Every method raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def page(self, job: JobName, slice_: Slice, binding: Binding | None) -> list[JobVersion]:
        """Return a slice of the versions of a job, the newest first. Datasets out of the binding are left out."""
        rows = await self._connections.fetch(_LIST, job_id(*job), MAX_VERSIONS, *slice_, PAGE_BYTES)
        pauses, versions = Pauses(), []
        for row in rows:
            versions.append(_version(job, row, binding))
            await pauses.pause()
        return versions

    async def find(self, job: JobName, version: UUID, binding: Binding | None) -> JobVersion | None:
        """Return a version of a job; None where it has no such version."""
        rows = await self._connections.fetch(_ONE, job_id(*job), version)
        return _version(job, rows[0], binding) if rows else None

    async def current(self, jobs: Sequence[JobName]) -> dict[JobName, UUID]:
        """Return the current versions of jobs: those of their latest runs that read or wrote anything."""
        ids = {job_id(*job): job for job in jobs}
        rows = await self._connections.fetch(_CURRENT, list(ids)) if ids else ()
        return {ids[row["id"]]: row["job_version"] for row in rows}


def _version(job: JobName, row: Any, binding: Binding | None) -> JobVersion:  # noqa: ANN401  asyncpg has no types
    datasets = unpack_run_datasets(row["registers"])
    inputs, outputs = (
        [name for name in sorted(named) if binding is None or binding.allows(name.namespace)]
        for named in (datasets.inputs, datasets.outputs)
    )
    location = datasets.location.text if datasets.location else None
    run = row["run_id"] if row["is_run"] else None
    return JobVersion(job, row["job_version"], row["created_at"], location, inputs, outputs, run)

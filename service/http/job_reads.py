"""Reads for handlers what views of jobs and runs have of datasets, which another projection tells than that of runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from aiohttp import web

from service.catalog.queries import JobItem
from service.domain.binding import Binding
from service.domain.event import JobName
from service.domain.run import NO_DATASETS, RunRegisters
from service.errors import Unavailable
from service.http.permissions import binding_of
from service.http.resources import RESOURCES, Resources, settle_lineage
from service.http.views import DATASETS_OMITTED, job_item_view, run_view
from service.lineage.run_lineage import NOW, LineageOfRuns, Moment, RunLineage
from service.payloads.parent_facet import parent_job


async def lineage_of_run(
    request: web.Request, run: UUID, registers: RunRegisters, moment: Moment = NOW
) -> RunLineage | None:
    """Return what a run read and wrote; None at once where none of its events names datasets.

    Waits a moment for events that were recorded before; while an existing ledger is projected, it answers with what is
    known.
    """
    if registers.datasets_position == NO_DATASETS:
        return None
    return (await lineage_of_runs(request, [(run, registers)], moment)).found.get(run)


async def view_after_command(request: web.Request, text: str, run: UUID, registers: RunRegisters) -> dict[str, Any]:
    """Return the view of a run for the answer to a command, whose event is recorded.

    `text`: the id as it was sent. What the run read and wrote is there if it is projected already: the answer waits for
    no projection. Else the view says that it is left out.
    """
    if registers.datasets_position == NO_DATASETS:
        return run_view(text, registers)
    resources, lineage = request.app[RESOURCES], None
    if registers.datasets_position <= resources.lineage.projected:
        with suppress(Unavailable):
            lineage = (await resources.run_lineage.read([(run, registers)], binding_of(request))).found.get(run)
    return run_view(text, registers, lineage) | (DATASETS_OMITTED if lineage is None else {})


async def lineage_of_runs(
    request: web.Request, runs: Sequence[tuple[UUID, RunRegisters]], moment: Moment = NOW
) -> LineageOfRuns:
    """Return what runs read and wrote, of those that did, as `lineage_of_run` does."""
    position = max((registers.datasets_position for _, registers in runs), default=NO_DATASETS)
    if position == NO_DATASETS:
        return LineageOfRuns({}, len(runs))
    resources = request.app[RESOURCES]
    await settle_lineage(resources, position)
    return await resources.run_lineage.read(runs, binding_of(request), moment)


async def job_views(resources: Resources, jobs: Sequence[JobItem], binding: Binding | None) -> Iterator[dict[str, Any]]:
    """Return the views of jobs, with their versions and what their newest runs read and wrote."""
    names = [JobName(job.registers.namespace, job.registers.name) for job in jobs]
    runs = [(run.id, run.registers) for job in jobs for run in job.latest]
    await settle_lineage(resources, max((run.datasets_position for _, run in runs), default=NO_DATASETS))
    versions, lineage = await asyncio.gather(
        resources.job_versions.current(names), resources.run_lineage.read(runs, binding)
    )
    return (
        job_item_view(job, versions.get(name), lineage.found, _parent_of(job, binding))
        for job, name in zip(jobs, names, strict=True)
    )


def _parent_of(job: JobItem, binding: Binding | None) -> JobName | None:
    """Return the job in whose run the newest run of this one ran, if the key may see it."""
    parent = parent_job(job.latest[0].registers.run_facets) if job.latest else None
    return parent if parent is None or binding is None or binding.allows(parent.namespace) else None

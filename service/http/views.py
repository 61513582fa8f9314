"""Returns the JSON values that the API shows for domain values."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct
from orjson import Fragment

from service.catalog.queries import JobInBrief, JobItem, RunInBrief
from service.catalog.run_tree import RunTree
from service.domain.event import MONITOR, JobName, RunState
from service.domain.ids import job_id
from service.domain.job import JobDefinition, JobRegisters
from service.domain.namespace import NamespaceRegisters
from service.domain.registers import StampedDatasets, StampedFacet, count_omitted
from service.domain.run import NO_DATASETS, RunRegisters, milliseconds
from service.domain.silence import StampedSilentAfter
from service.domain.tags import present
from service.ledger.archive_records import PayloadLocation
from service.lineage.run_lineage import RunDatasetVersion, RunLineage
from service.payloads.dataset_facets import description_of, location_of
from service.payloads.json_writer import dump


class _JobType(Struct):
    processingType: str | None = None  # noqa: N815  OpenLineage's names
    integration: str | None = None
    jobType: str | None = None  # noqa: N815


_UNKNOWN_TYPE = _JobType()


_decode_job_type = msgspec.json.Decoder(_JobType).decode

NO_LINEAGE: Mapping[UUID, RunLineage] = {}
DATASETS_OMITTED = {"datasetsOmitted": True}
"""The member of a run whose datasets are left out: they take too much space, or are not projected yet."""

_MANY_DATASETS = 1_000
"""Datasets of a run whose view takes some milliseconds."""

_NOTHING: Mapping[str, Any] = {}
_NO_ARGS = Fragment(b"{}")
_NEW, _RUNNING = RunState.NEW.value, RunState.RUNNING.value


def run_view(run_id: str, run: RunRegisters, lineage: RunLineage | None = None) -> dict[str, Any]:
    """Return a run as Marquez shows one, and its job; JSON that callers sent is the bytes that were received.

    `lineage`: what it read and wrote, where that was read.
    """
    created, started_at = run.created, run.started_at
    ended = run.ended
    nominal_start, nominal_end = run.nominal_times
    view = {
        "id": run_id,
        "createdAt": created.at if created else run.updated_at,
        "updatedAt": run.updated_at,
        "nominalStartTime": nominal_start,
        "nominalEndTime": nominal_end,
        "state": ended.state if ended else _NEW if started_at is None else _RUNNING,
        "startedAt": started_at,
        "endedAt": ended.at if ended else None,
        "durationMs": run.duration_ms if ended else None,
        "args": Fragment(created.args) if created and created.args else _NO_ARGS,
        "jobVersion": None,
        "inputDatasetVersions": [],
        "outputDatasetVersions": [],
        "facets": facets_view(run.run_facets) if run.run_facets else {},
        "job": {"namespace": created.namespace, "name": created.job} if created else None,
    }
    if lineage is not None:
        view |= _lineage_view(lineage)
    if (terminal := run.terminal) is not None:
        if run.overruled:
            view["ends"] = [{"state": end.state, "endedAt": end.at} for end in run.contradicting_ends]
        if (start := run.latest_start) is not None and start > terminal.at:  # run.restarted_at, for every view
            view["restartedAt"] = start
    elif ended is not None:
        view["stateReason"] = _reason_view(run)
    if run.jobs and run.job is not None:
        view["jobs"] = [name._asdict() for name in sorted({run.job, *run.jobs})]
    return view | omitted_view(run.run_facets) if run.run_facets else view


def without_datasets(run_id: str, run: RunRegisters) -> dict[str, Any]:
    """Return the view of a run without what it read and wrote, which says so unless no event of it names datasets."""
    view = run_view(run_id, run)
    return view if run.datasets_position == NO_DATASETS else view | DATASETS_OMITTED


async def run_json(
    run_id: str, run: RunRegisters, lineage: RunLineage | None = None, more: Mapping[str, Any] = _NOTHING
) -> bytes:
    """Return the view of a run, with more members, as JSON; that of many datasets is made in a thread."""

    def encode() -> bytes:
        view = run_view(run_id, run, lineage)
        return dump({**view, **more} if more else view)

    is_large = lineage is not None and len(lineage.inputs) + len(lineage.outputs) > _MANY_DATASETS
    return await asyncio.to_thread(encode) if is_large else encode()


def abridged(view: dict[str, Any]) -> dict[str, Any]:
    """Return the view of a run without its facets and datasets, which says so."""
    omitted = view.get("facetsOmitted", 0) + len(view["facets"])
    facets = {"facets": {}, "facetsOmitted": omitted} if omitted else {}
    return view | facets | {"inputDatasetVersions": [], "outputDatasetVersions": []} | DATASETS_OMITTED


def _lineage_view(lineage: RunLineage) -> Mapping[str, Any]:
    """Return what a run read and wrote."""
    if lineage.is_omitted:
        return DATASETS_OMITTED
    return {
        "jobVersion": _job_version_view(lineage.job, lineage.job_version),
        "inputDatasetVersions": [_dataset_version_view(each) for each in lineage.inputs],
        "outputDatasetVersions": [_dataset_version_view(each) for each in lineage.outputs],
    }


def _job_version_view(job: JobName | None, version: UUID | None) -> dict[str, Any] | None:
    return {"namespace": job.namespace, "name": job.name, "version": version} if job else None


def _dataset_version_view(found: RunDatasetVersion) -> dict[str, Any]:
    (namespace, name), version, facets = found
    return {
        "datasetVersionId": {"namespace": namespace, "name": name, "version": version},
        "facets": facets_view(facets) if facets else {},
    }


def _reason_view(run: RunRegisters) -> dict[str, object]:
    """Return why a run has ended without a report of its end: what the monitor's event has."""
    silence, inferred = run.inferred_from, run.inferred
    reason: dict[str, object] = {
        "code": "silent",
        "source": MONITOR,
        "position": inferred.position if inferred else None,
    }
    if silence is None:  # its payload was erased, or was archived and is not at hand
        return reason
    last = {"lastEventPosition": silence.last_position, "lastEventAt": silence.last_at}
    return reason | last | {"silentAfterSeconds": silence.seconds}


def runs_view(
    runs: Iterable[tuple[UUID, RunRegisters]], total: int, lineage: Mapping[UUID, RunLineage] = NO_LINEAGE
) -> dict[str, Any]:
    """Return a page of a list of runs; total is the length of the whole list. `lineage`: what they read and wrote."""
    return {"runs": [run_view(str(run_id), run, lineage.get(run_id)) for run_id, run in runs], "totalCount": total}


def facets_view(facets: Mapping[str, StampedFacet]) -> dict[str, Fragment]:
    """Return the facets that were neither deleted nor left out, each as the bytes that were received."""
    return {name: Fragment(facet.value) for name, facet in sorted(facets.items()) if facet.value}


def omitted_view(facets: Mapping[str, StampedFacet]) -> dict[str, int]:
    """Return the number of facets that are left out for their size, as a member; no member where it is 0."""
    omitted = count_omitted(facets)
    return {"facetsOmitted": omitted} if omitted else {}


def archived_view(files: Mapping[PayloadLocation, Sequence[int]]) -> list[dict[str, object]]:
    """Return the archive files of payloads that an answer leaves out, with the positions of their events."""
    return [{**location._asdict(), "positions": positions} for location, positions in files.items()]


def namespace_view(namespace: NamespaceRegisters) -> dict[str, Any]:
    """Return a namespace as Marquez shows one."""
    definition = namespace.definition
    created = namespace.first_seen.at if namespace.first_seen else namespace.updated_at
    return {
        "name": namespace.name,
        "createdAt": created,
        "updatedAt": max(created, namespace.updated_at),
        "ownerName": definition.owner if definition else "anonymous",
        "description": definition.description if definition else None,
        "isHidden": namespace.hidden,
        **_setting_view(namespace.silent_after),
    }


def job_view(
    job: JobRegisters, latest_runs: Iterable[dict[str, Any]], version: UUID | None, parent: JobName | None
) -> dict[str, Any]:
    """Return a job as Marquez shows one; latest_runs are views of runs, newest first.

    `version`: the current one, where one is known. `parent`: the job in whose run the newest run of this one ran.
    """
    definition, job_type = job.definition, _job_type_of(job)
    runs = list(latest_runs)
    return {
        "id": {"namespace": job.namespace, "name": job.name},
        "type": _type_of(definition, job_type),
        "name": job.name,
        "simpleName": job.name if parent is None else job.name.removeprefix(f"{parent.name}."),
        "parentJobName": parent.name if parent else None,
        "parentJobUuid": job_id(*parent) if parent else None,
        "createdAt": job.first_seen.at if job.first_seen else job.updated_at,
        "updatedAt": job.updated_at,
        "namespace": job.namespace,
        "inputs": _datasets(job.inputs),
        "outputs": _datasets(job.outputs),
        "location": location_of_job(job),
        "description": description_of_job(job),
        "latestRun": runs[0] if runs else None,
        "latestRuns": runs or None,
        "facets": facets_view(job.facets),
        "currentVersion": str(version) if version else None,
        "labels": _labels_of(job_type),
        "tags": present(job.tags),
        **_setting_view(job.silent_after),
        **omitted_view(job.facets),
    }


def job_item_view(
    job: JobItem,
    version: UUID | None = None,
    lineage: Mapping[UUID, RunLineage] = NO_LINEAGE,
    parent: JobName | None = None,
) -> dict[str, Any]:
    """Return a job with its newest runs; `lineage`: what these read and wrote."""
    runs = (run_view(str(run.id), run.registers, lineage.get(run.id)) for run in job.latest)
    return job_view(job.registers, runs, version, parent)


def job_in_brief_view(job: JobInBrief) -> dict[str, Any]:
    """Return a job in brief, with its newest runs."""
    return {
        "namespace": job.namespace,
        "name": job.name,
        "updatedAt": job.updated_at,
        "latestRuns": [_run_in_brief_view(run) for run in job.latest],
    }


def _run_in_brief_view(run: RunInBrief) -> dict[str, Any]:
    begin, end = run.started_at, run.ended_at
    length = None if begin is None or end is None else max(0, milliseconds(end) - milliseconds(begin))
    return {"id": str(run.id), "state": run.state, "startedAt": begin, "durationMs": length}


def tree_view(tree: RunTree) -> dict[str, Any]:
    """Return a page of a tree of runs."""
    runs = [
        {
            "id": run.id,
            "parent": run.parent,
            "depth": run.depth,
            "namespace": run.namespace,
            "job": run.job,
            "state": run.state,
            "createdAt": run.created_at,
            "startedAt": run.started_at,
            "endedAt": run.ended_at,
        }
        for run in tree.runs
    ]
    return {"root": tree.root, "runs": runs, "next": tree.following, "isWhole": tree.is_whole}


def _setting_view(setting: StampedSilentAfter | None) -> dict[str, int]:
    """Return the setting for silent runs as a member; no member where that of the level above applies."""
    return {} if setting is None or setting.seconds is None else {"silentAfterSeconds": setting.seconds}


def _datasets(stamped: StampedDatasets | None) -> list[dict[str, str]]:
    return [dataset._asdict() for dataset in stamped.datasets] if stamped else []


def location_of_job(job: JobRegisters) -> str | None:
    """Return the location of a job's code."""
    return _told(job, "sourceCodeLocation", location_of, job.definition.location if job.definition else None)


def description_of_job(job: JobRegisters) -> str | None:
    """Return the description of a job."""
    return _told(job, "documentation", description_of, job.definition.description if job.definition else None)


def type_of_job(job: JobRegisters) -> str:
    """Return the type of a job: as it was defined, else as its `jobType` facet tells."""
    return _type_of(job.definition, _job_type_of(job))


def _type_of(definition: JobDefinition | None, job_type: _JobType) -> str:
    return definition.type if definition else "STREAM" if job_type.processingType == "STREAMING" else "BATCH"


def _job_type_of(job: JobRegisters) -> _JobType:
    """Return the `jobType` facet of a job; without one, or an ill-formed one, it tells nothing."""
    facet = job.facets.get("jobType")
    if facet is None or not facet.value:
        return _UNKNOWN_TYPE
    try:
        return _decode_job_type(facet.value)
    except (msgspec.DecodeError, RecursionError):
        return _UNKNOWN_TYPE


def _told(job: JobRegisters, facet: str, read: Callable[[bytes], str | None], defined: str | None) -> str | None:
    """Return what a facet of a job tells, or its definition, the later of both."""
    told, definition = job.facets.get(facet), job.definition
    if told is None or not told.value or (definition is not None and definition.at > told.at):
        return defined
    return read(told.value)


def _labels_of(job_type: _JobType) -> list[str]:
    """Return the labels of a job, as Marquez makes them."""
    return [label for label in (job_type.jobType, job_type.integration) if label]

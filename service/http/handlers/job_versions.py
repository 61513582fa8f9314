"""Versions of jobs: listed and read."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from orjson import Fragment

from service.auth.keys import Scope
from service.domain.event import JobName
from service.http import definitions
from service.http.dataset_reads import wait_for_lineage_unless_stale
from service.http.fast_path import json_response
from service.http.openapi import dataset_responses
from service.http.parameters import LIMIT, OFFSET, STALE
from service.http.paths import JOB
from service.http.permissions import binding_of
from service.http.request_values import name, slice_of, wait_unless_stale
from service.http.resources import RESOURCES
from service.http.route import Reach, Route, Tag
from service.http.runs_of_versions import version_list, whole_version
from service.lineage.job_versions import JobVersion
from service.not_found import JobNotFound, JobVersionNotFound, NamespaceNotFound
from service.payloads.json_writer import dump
from service.payloads.run_ids import parse_uuid

_VERSIONS = f"{JOB}/versions"


async def list_versions(request: web.Request) -> web.Response:
    """List the versions of a job."""
    page = slice_of(request)
    job = await _find_job(request)
    versions = await request.app[RESOURCES].job_versions.page(job, page, binding_of(request))
    return json_response(request, dump({"versions": await version_list(request, versions, _view)}))


async def get_version(request: web.Request) -> web.Response:
    """Read a version of a job."""
    job, text = await _find_job(request), request.match_info["version"]
    version = parse_uuid(text)
    versions = request.app[RESOURCES].job_versions
    found = await versions.find(job, version, binding_of(request)) if version is not None else None
    if found is None:
        raise JobVersionNotFound(text)
    return json_response(request, await whole_version(request, found, _view))


async def _find_job(request: web.Request) -> JobName:
    """Return the name of the job in the path, which must exist."""
    job = JobName(name(request, "namespace"), name(request, "job"))
    await wait_unless_stale(request)
    await wait_for_lineage_unless_stale(request)
    await definitions.find_job(request.app[RESOURCES], *job, binding_of(request))
    return job


def _view(found: JobVersion, run: Fragment | None) -> dict[str, Any]:
    """Return the view of a version, with its latest run."""
    return {
        "id": found.job._asdict() | {"version": str(found.id)},
        "name": found.job.name,
        "createdAt": found.created_at,
        "version": str(found.id),
        "namespace": found.job.namespace,
        "location": found.location,
        "inputs": [dataset._asdict() for dataset in found.inputs],
        "outputs": [dataset._asdict() for dataset in found.outputs],
        "latestRun": run,
    }


ROUTES = (
    Route(
        method="GET",
        path=_VERSIONS,
        handler=list_versions,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.JOBS,
        summary="List the versions of a job, newest first",
        description="A version is made of the inputs and outputs of a run, all that its events name, and of the "
        "location of the code. It is there from the first event on that names any. Where `latestRun` takes more than "
        "16 KiB, it is there without its facets and datasets, and says so.",
        parameters=(LIMIT, OFFSET, STALE),
        answers={200: dataset_responses.JobVersions},
        errors=(NamespaceNotFound, JobNotFound),
    ),
    Route(
        method="GET",
        path=f"{_VERSIONS}/{{version}}",
        handler=get_version,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.JOBS,
        summary="Read a version of a job",
        parameters=(STALE,),
        answers={200: dataset_responses.JobVersion},
        errors=(NamespaceNotFound, JobNotFound, JobVersionNotFound),
    ),
)

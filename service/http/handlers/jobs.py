"""Jobs: defined, read, listed, deleted. Answers come from the catalog."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.catalog.queries import JobFilter, JobItem
from service.errors import Invalid
from service.http import definitions
from service.http.fast_path import json_response
from service.http.job_reads import job_views
from service.http.long_lists import list_fragment
from service.http.openapi import brief_responses, responses
from service.http.parameters import LIMIT, NAME_PREFIX, OFFSET, STALE, run_states
from service.http.paths import BASE, JOB, NAMESPACE
from service.http.permissions import binding_of
from service.http.recorded import RECORDED_HEADER, recorded_position
from service.http.request_values import caller, json_body, name, slice_of, wait_unless_stale
from service.http.resources import RESOURCES
from service.http.route import Body, Reach, Route, Tag, parameters_of
from service.http.views import job_in_brief_view
from service.not_found import JobNotFound, NamespaceNotFound
from service.payloads.json_writer import dump
from service.payloads.schemas import PutJob

_LAST_RUN_STATES = run_states("lastRunStates", "Only jobs whose newest run is in one of these states.")


async def put_job(request: web.Request) -> web.Response:
    """Define a job, and answer with it."""
    resources = request.app[RESOURCES]
    names = name(request, "namespace"), name(request, "job")
    result = await definitions.define_job(resources, *names, await json_body(request), caller(request))
    found = await definitions.find_job(resources, *names, binding_of(request))
    return await _answer(request, found, recorded_position(result))


async def get_job(request: web.Request) -> web.Response:
    """Read a job."""
    await wait_unless_stale(request)
    names = name(request, "namespace"), name(request, "job")
    return await _answer(request, await definitions.find_job(request.app[RESOURCES], *names, binding_of(request)))


async def _answer(request: web.Request, job: JobItem, recorded: bytes | None = None) -> web.Response:
    (view,) = await job_views(request.app[RESOURCES], [job], binding_of(request))
    return json_response(request, dump(view), recorded=recorded)


async def delete_job(request: web.Request) -> web.Response:
    """Delete a job, and answer with it as it was."""
    names = name(request, "namespace"), name(request, "job")
    job, result = await definitions.delete_job(request.app[RESOURCES], *names, caller(request))
    return await _answer(request, job, recorded_position(result))


async def list_jobs(request: web.Request) -> web.Response:
    """List the jobs of a namespace, or of all."""
    resources = request.app[RESOURCES]
    namespace = name(request, "namespace") if "namespace" in request.match_info else None
    states, page = parameters_of(request)[_LAST_RUN_STATES], slice_of(request)
    prefix = parameters_of(request)[NAME_PREFIX]
    await wait_unless_stale(request)
    binding = binding_of(request)
    if namespace is not None:
        await definitions.find_namespace(resources, namespace, binding)
    jobs, total = await resources.queries.jobs(JobFilter(namespace, states, prefix or None), page, binding)
    views = await list_fragment(await job_views(resources, jobs, binding))
    return json_response(request, dump({"totalCount": total, "jobs": views}))


async def list_jobs_in_brief(request: web.Request) -> web.Response:
    """List all jobs with the states of their newest runs."""
    queries, page = request.app[RESOURCES].queries, slice_of(request)
    filters = JobFilter(None, parameters_of(request)[_LAST_RUN_STATES], parameters_of(request)[NAME_PREFIX] or None)
    await wait_unless_stale(request)
    jobs, total = await queries.jobs_in_brief(filters, page, binding_of(request))
    views = await list_fragment(map(job_in_brief_view, jobs))
    return json_response(request, dump({"totalCount": total, "jobs": views}))


ROUTES = (
    Route(
        method="PUT",
        path=JOB,
        handler=put_job,
        scope=Scope.WRITE,
        reach=Reach.WITHIN,
        tag=Tag.JOBS,
        summary="Define a job",
        description="Defining a job again as it is records nothing.",
        body=Body(PutJob),
        answers={200: responses.Job},
        headers={200: RECORDED_HEADER},
        errors=(NamespaceNotFound, Invalid),
    ),
    Route(
        method="GET",
        path=JOB,
        handler=get_job,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.JOBS,
        summary="Read a job with its newest runs",
        parameters=(STALE,),
        answers={200: responses.Job},
        errors=(NamespaceNotFound, JobNotFound),
    ),
    Route(
        method="DELETE",
        path=JOB,
        handler=delete_job,
        scope=Scope.WRITE,
        reach=Reach.WITHIN,
        tag=Tag.JOBS,
        summary="Delete a job",
        description="Records a mark in the ledger; nothing is removed. Answers with the job as it was.",
        answers={200: responses.Job},
        headers={200: RECORDED_HEADER},
        errors=(NamespaceNotFound, JobNotFound),
    ),
    Route(
        method="GET",
        path=f"{NAMESPACE}/jobs",
        handler=list_jobs,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.JOBS,
        summary="List the jobs of a namespace, latest event first",
        parameters=(NAME_PREFIX, _LAST_RUN_STATES, LIMIT, OFFSET, STALE),
        answers={200: responses.Jobs},
        errors=(NamespaceNotFound,),
    ),
    Route(
        method="GET",
        path=f"{BASE}/jobs",
        handler=list_jobs,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.JOBS,
        summary="List all jobs, latest event first",
        parameters=(NAME_PREFIX, _LAST_RUN_STATES, LIMIT, OFFSET, STALE),
        answers={200: responses.Jobs},
    ),
    Route(
        method="GET",
        path=f"{BASE}/jobs/latest-runs",
        handler=list_jobs_in_brief,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.JOBS,
        summary="List all jobs with their newest runs in brief, latest event first",
        description="The jobs of `GET /jobs` in a tenth of its time and size: of each run, its state and times only.",
        parameters=(NAME_PREFIX, _LAST_RUN_STATES, LIMIT, OFFSET, STALE),
        answers={200: brief_responses.JobsInBrief},
    ),
)

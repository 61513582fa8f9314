"""Namespaces and jobs: defined, listed, deleted. Answers come from the catalog, once it holds what was recorded."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from service.catalog.queries import JobItem
from service.domain import timestamps
from service.domain.decisions import Decision, DefineJob, Delete
from service.domain.event import Subject
from service.domain.ids import namespace_id
from service.errors import JobNotFound, NamespaceNotFound
from service.http import views
from service.http.fast_path import json_response
from service.http.json_bodies import read_put_job
from service.http.parameters import caller, json_body, name, slice_of, states, wait_unless_stale
from service.http.resources import RESOURCES, Resources, wait_for_catalog
from service.ledger import drafts
from service.payloads.contents import job_content
from service.payloads.json_writer import dump


async def put_job(request: web.Request) -> web.Response:
    """PUT /namespaces/{namespace}/jobs/{job}."""
    resources = request.app[RESOURCES]
    namespace, job = name(request, "namespace"), name(request, "job")
    body = await json_body(request)
    wanted = read_put_job(body)
    at = timestamps.now()
    decoded = job_content(wanted, at, drafts.short_digest("job", at.isoformat(), body))
    draft = drafts.definition(Subject.JOB, (namespace, job), at, body, decoded, caller(request))
    command = DefineJob(
        wanted.type, wanted.location, wanted.description, decoded.content.inputs or (), decoded.content.outputs or ()
    )
    parent = (Subject.NAMESPACE, namespace_id(namespace))
    result = await resources.appender.command_below(draft, command, parent)
    if result.decision is Decision.PARENT_UNKNOWN:
        raise NamespaceNotFound(namespace)
    await wait_for_catalog(resources, result)
    return json_response(request, await _job(resources, namespace, job))


async def get_job(request: web.Request) -> web.Response:
    """GET /namespaces/{namespace}/jobs/{job}."""
    resources = request.app[RESOURCES]
    await wait_unless_stale(request)
    return json_response(request, await _job(resources, name(request, "namespace"), name(request, "job")))


async def delete_job(request: web.Request) -> web.Response:
    """DELETE /namespaces/{namespace}/jobs/{job}: answers with it as it was."""
    resources = request.app[RESOURCES]
    namespace, job = name(request, "namespace"), name(request, "job")
    await resources.catalog.wait_until_current()
    view = await _job(resources, namespace, job)
    draft = drafts.deletion(Subject.JOB, (namespace, job), timestamps.now(), caller(request))
    await wait_for_catalog(resources, await resources.appender.command(draft, Delete()))
    return json_response(request, view)


async def list_jobs(request: web.Request) -> web.Response:
    """GET /jobs and GET /namespaces/{namespace}/jobs."""
    resources = request.app[RESOURCES]
    namespace = name(request, "namespace") if "namespace" in request.match_info else None
    last, part = states(request, "lastRunStates"), slice_of(request)
    await wait_unless_stale(request)
    if namespace is not None and await resources.queries.namespace(namespace) is None:
        raise NamespaceNotFound(namespace)
    jobs, total = await resources.queries.jobs(namespace, last, part)
    return json_response(request, dump({"totalCount": total, "jobs": [_job_view(job) for job in jobs]}))


async def _job(resources: Resources, namespace: str, job: str) -> bytes:
    found = await resources.queries.job(namespace, job)
    if found is None:
        if await resources.queries.namespace(namespace) is None:
            raise NamespaceNotFound(namespace)
        raise JobNotFound(job)
    return dump(_job_view(found))


def _job_view(job: JobItem) -> dict[str, Any]:
    return views.job_view(job.registers, (views.run_view(str(run.id), run.registers) for run in job.latest))

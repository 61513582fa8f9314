"""Namespaces and jobs: defined, listed, deleted. Answers come from the catalog, once it holds what was recorded."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from service.catalog.queries import JobItem
from service.domain import timestamps
from service.domain.decisions import Known, Verdict
from service.domain.draft import Draft
from service.domain.event import Subject
from service.domain.ids import namespace_id
from service.domain.job import JobDefinition, JobRegisters
from service.domain.registers import StampedDatasets
from service.errors import JobNotFound, NamespaceNotFound
from service.http import views
from service.http.fast_path import answer
from service.http.json_bodies import read_put_job
from service.http.parameters import caller, fresh, json_body, name, slice_of, states
from service.http.resources import RESOURCES, Resources
from service.ledger import drafts
from service.ledger.batch import Answer
from service.payloads.contents import job_said
from service.payloads.json_writer import dump
from service.payloads.schemas import PutJob


async def put_job(request: web.Request) -> web.Response:
    """PUT /namespaces/{namespace}/jobs/{job}."""
    resources = request.app[RESOURCES]
    namespace, job = name(request, "namespace"), name(request, "job")
    body = await json_body(request)
    asked = read_put_job(body)
    at = timestamps.now()
    said = job_said(asked, at, drafts.digest("job", at.isoformat(), body))
    draft = drafts.definition(Subject.JOB, (namespace, job), at, body, said, caller(request))
    result = await _put_job(resources, draft, asked)
    if result.verdict is Verdict.HOMELESS:
        raise NamespaceNotFound(namespace)
    await _recorded(resources, result)
    return answer(request, await _job(resources, namespace, job))


async def _put_job(resources: Resources, draft: Draft, asked: PutJob) -> Answer:
    home = (Subject.NAMESPACE, namespace_id(draft.namespace or ""))
    for attempt in (1, 2):
        result = await resources.appender.command(
            draft, lambda standing, known: _define_job(standing, known, draft, asked), home
        )
        if result.verdict is not Verdict.HOMELESS or attempt == 2:  # noqa: PLR2004
            break
        await resources.catalog.catch_up()
    return result


def _define_job(standing: JobRegisters | None, _known: Known | None, draft: Draft, asked: PutJob) -> Verdict:
    defined = standing.definition if standing and not standing.hidden else None
    if standing is None or not isinstance(defined, JobDefinition):
        return Verdict.APPEND
    content = draft.said.content
    same = (
        (defined.type, defined.location, defined.description) == (asked.type, asked.location, asked.description)
        and _same_datasets(standing.inputs, content.inputs)
        and _same_datasets(standing.outputs, content.outputs)
    )
    return Verdict.UNCHANGED if same else Verdict.APPEND


def _same_datasets(standing: StampedDatasets | None, named: tuple[Any, ...] | None) -> bool:
    return (standing.datasets if standing else ()) == (named or ())


async def get_job(request: web.Request) -> web.Response:
    """GET /namespaces/{namespace}/jobs/{job}."""
    resources = request.app[RESOURCES]
    await fresh(request)
    return answer(request, await _job(resources, name(request, "namespace"), name(request, "job")))


async def delete_job(request: web.Request) -> web.Response:
    """DELETE /namespaces/{namespace}/jobs/{job}: answers with it as it was."""
    resources = request.app[RESOURCES]
    namespace, job = name(request, "namespace"), name(request, "job")
    await resources.catalog.catch_up()
    view = await _job(resources, namespace, job)
    draft = drafts.deletion(Subject.JOB, (namespace, job), timestamps.now(), caller(request))
    await _recorded(resources, await resources.appender.command(draft, _delete))
    return answer(request, view)


async def list_jobs(request: web.Request) -> web.Response:
    """GET /jobs and GET /namespaces/{namespace}/jobs."""
    resources = request.app[RESOURCES]
    namespace = name(request, "namespace") if "namespace" in request.match_info else None
    last, part = states(request, "lastRunStates"), slice_of(request)
    await fresh(request)
    if namespace is not None and await resources.lists.namespace(namespace) is None:
        raise NamespaceNotFound(namespace)
    jobs, total = await resources.lists.jobs(namespace, last, part)
    return answer(request, dump({"totalCount": total, "jobs": [_job_view(job) for job in jobs]}))


def _delete(_standing: Any, known: Known | None) -> Verdict:  # noqa: ANN401  a judge takes any registers
    return Verdict.UNCHANGED if known else Verdict.APPEND


async def _recorded(resources: Resources, result: Answer) -> None:
    if result.position is not None:
        await resources.catalog.reach(result.position)
    else:
        await resources.catalog.catch_up()


async def _job(resources: Resources, namespace: str, job: str) -> bytes:
    found = await resources.lists.job(namespace, job)
    if found is None:
        if await resources.lists.namespace(namespace) is None:
            raise NamespaceNotFound(namespace)
        raise JobNotFound(job)
    return dump(_job_view(found))


def _job_view(job: JobItem) -> dict[str, Any]:
    return views.job_view(job.registers, (views.run_view(str(run.id), run.registers) for run in job.latest))

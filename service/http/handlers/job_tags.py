"""Tags of jobs: added and removed."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.domain.tags import TagChange
from service.errors import Invalid
from service.http import dataset_commands, definitions
from service.http.fast_path import json_response
from service.http.job_reads import job_views
from service.http.openapi import responses
from service.http.paths import JOB
from service.http.permissions import binding_of, check_write
from service.http.recorded import RECORDED_HEADER, recorded_position
from service.http.request_values import caller, name
from service.http.resources import RESOURCES, wait_for_catalog
from service.http.route import Handler, Reach, Route, Tag
from service.not_found import JobNotFound, NamespaceNotFound
from service.payloads.json_writer import dump


def _change_to(*, added: bool) -> Handler:
    """Return the handler that adds a tag to a job, or removes it, and answers with the job."""

    async def handle(request: web.Request) -> web.Response:
        resources, binding, who = request.app[RESOURCES], binding_of(request), caller(request)
        names, change = (name(request, "namespace"), name(request, "job")), TagChange(name(request, "tag"), added)
        check_write(who, names[0])
        await resources.catalog.wait_until_current()
        await definitions.find_job(resources, *names, binding)
        result = await dataset_commands.change_tag_of_job(resources, *names, change, who)
        await wait_for_catalog(resources, result)
        job = await definitions.find_job(resources, *names, binding)
        (view,) = await job_views(resources, [job], binding)
        return json_response(request, dump(view), recorded=recorded_position(result))

    return handle


def _route(method: str, summary: str, *, added: bool) -> Route:
    return Route(
        method=method,
        path=f"{JOB}/tags/{{tag}}",
        handler=_change_to(added=added),
        scope=Scope.WRITE,
        reach=Reach.WITHIN,
        tag=Tag.JOBS,
        summary=summary,
        description="Records nothing where that changes nothing. The tag need not be defined, and its case counts.",
        answers={200: responses.Job},
        errors=(NamespaceNotFound, JobNotFound, Invalid),
        headers={200: RECORDED_HEADER},
    )


ROUTES = (
    _route("POST", "Add a tag to a job", added=True),
    _route("DELETE", "Remove a tag from a job", added=False),
)

"""Sources of datasets: defined, read, listed."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.errors import Invalid
from service.http import dataset_commands
from service.http.dataset_views import source_view
from service.http.fast_path import json_response
from service.http.openapi import dataset_responses
from service.http.paths import SOURCE
from service.http.recorded import RECORDED_HEADER, recorded_position
from service.http.request_values import caller, json_body, name
from service.http.resources import RESOURCES
from service.http.route import Body, Reach, Route, Tag
from service.payloads.json_writer import dump
from service.payloads.schemas import PutSource


async def put_source(request: web.Request) -> web.Response:
    """Define a source, and answer with it."""
    source = name(request, "source")
    result = await dataset_commands.define_source(
        request.app[RESOURCES], source, await json_body(request), caller(request)
    )
    return json_response(request, dump(source_view(result.registers)), recorded=recorded_position(result))


ROUTES = (
    Route(
        method="PUT",
        path=SOURCE,
        handler=put_source,
        scope=Scope.WRITE,
        reach=Reach.ALL,
        tag=Tag.DATASETS,
        summary="Define a source of datasets",
        description="Replaces what it was before; a description that is left out becomes null. Defining a source again "
        "as it is records nothing. A password in `connectionUrl` is recorded as sent, for good: answers have `***` in "
        "its place.",
        body=Body(PutSource),
        answers={200: dataset_responses.Source},
        errors=(Invalid,),
        headers={200: RECORDED_HEADER},
    ),
)

"""Tags: defined and listed."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.errors import Invalid
from service.http import dataset_commands
from service.http.dataset_views import tag_view
from service.http.fast_path import json_response
from service.http.openapi import dataset_responses
from service.http.paths import TAG
from service.http.recorded import RECORDED_HEADER, recorded_position
from service.http.request_values import caller, json_body, name
from service.http.resources import RESOURCES
from service.http.route import Body, Reach, Route, Tag
from service.payloads.json_writer import dump
from service.payloads.schemas import PutTag


async def put_tag(request: web.Request) -> web.Response:
    """Define a tag, and answer with it."""
    tag = name(request, "tag")
    result = await dataset_commands.define_tag(request.app[RESOURCES], tag, await json_body(request), caller(request))
    return json_response(request, dump(tag_view(result.registers)), recorded=recorded_position(result))


ROUTES = (
    Route(
        method="PUT",
        path=TAG,
        handler=put_tag,
        scope=Scope.WRITE,
        reach=Reach.ALL,
        tag=Tag.DATASETS,
        summary="Define a tag",
        description="Without a description, the one that it has stays. Defining a tag again as it is records nothing. "
        "Case counts.",
        body=Body(PutTag),
        answers={200: dataset_responses.Tag},
        errors=(Invalid,),
        headers={200: RECORDED_HEADER},
    ),
)

"""Tags: defined and listed."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.errors import Invalid
from service.http import dataset_commands
from service.http.dataset_reads import wait_for_lineage_unless_stale
from service.http.dataset_views import tag_view
from service.http.fast_path import json_response
from service.http.openapi import dataset_responses
from service.http.parameters import LIMIT, NAME_PREFIX, OFFSET, STALE
from service.http.paths import BASE, TAG
from service.http.permissions import binding_of
from service.http.recorded import RECORDED_HEADER, recorded_position
from service.http.request_values import caller, json_body, name, slice_of
from service.http.resources import RESOURCES
from service.http.route import Body, Reach, Route, Tag, parameters_of
from service.payloads.json_writer import dump
from service.payloads.schemas import PutTag


async def put_tag(request: web.Request) -> web.Response:
    """Define a tag, and answer with it."""
    tag = name(request, "tag")
    result = await dataset_commands.define_tag(request.app[RESOURCES], tag, await json_body(request), caller(request))
    return json_response(request, dump(tag_view(result.registers)), recorded=recorded_position(result))


async def list_tags(request: web.Request) -> web.Response:
    """List tags: none for a bound key, since a tag belongs to no namespace."""
    prefix, page = parameters_of(request)[NAME_PREFIX], slice_of(request)
    await wait_for_lineage_unless_stale(request)
    found = [] if binding_of(request) else await request.app[RESOURCES].datasets.tags(prefix or "", page)
    return json_response(request, dump({"tags": [tag_view(tag) for tag in found]}))


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
    Route(
        method="GET",
        path=f"{BASE}/tags",
        handler=list_tags,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.DATASETS,
        summary="List tags by name",
        description="Those that were defined, and those that are used. For API keys that are bound to namespaces there "
        "are none: a tag belongs to no namespace.",
        parameters=(NAME_PREFIX, LIMIT, OFFSET, STALE),
        answers={200: dataset_responses.Tags},
    ),
)

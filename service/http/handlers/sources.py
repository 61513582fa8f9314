"""Sources of datasets: defined, read, listed."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.errors import Invalid
from service.http import dataset_commands
from service.http.dataset_reads import wait_for_lineage_unless_stale
from service.http.dataset_views import source_view
from service.http.fast_path import json_response
from service.http.openapi import dataset_responses
from service.http.parameters import LIMIT, NAME_PREFIX, OFFSET, STALE
from service.http.paths import BASE, SOURCE
from service.http.permissions import binding_of
from service.http.recorded import RECORDED_HEADER, recorded_position
from service.http.request_values import caller, json_body, name, slice_of
from service.http.resources import RESOURCES
from service.http.route import Body, Reach, Route, Tag, parameters_of
from service.not_found import SourceNotFound
from service.payloads.json_writer import dump
from service.payloads.schemas import PutSource

_OF_NO_NAMESPACE = "For API keys that are bound to namespaces there are none: a source belongs to no namespace."


async def put_source(request: web.Request) -> web.Response:
    """Define a source, and answer with it."""
    source = name(request, "source")
    result = await dataset_commands.define_source(
        request.app[RESOURCES], source, await json_body(request), caller(request)
    )
    return json_response(request, dump(source_view(result.registers)), recorded=recorded_position(result))


async def get_source(request: web.Request) -> web.Response:
    """Read a source."""
    source = name(request, "source")
    await wait_for_lineage_unless_stale(request)
    found = await request.app[RESOURCES].datasets.source(source)
    if found is None:
        raise SourceNotFound(source)
    return json_response(request, dump(source_view(found)))


async def list_sources(request: web.Request) -> web.Response:
    """List sources: none for a bound key, since a source belongs to no namespace."""
    prefix, page = parameters_of(request)[NAME_PREFIX], slice_of(request)
    await wait_for_lineage_unless_stale(request)
    found = [] if binding_of(request) else await request.app[RESOURCES].datasets.sources(prefix or "", page)
    return json_response(request, dump({"sources": [source_view(source) for source in found]}))


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
    Route(
        method="GET",
        path=SOURCE,
        handler=get_source,
        scope=Scope.READ,
        reach=Reach.ALL,
        tag=Tag.DATASETS,
        summary="Read a source of datasets",
        parameters=(STALE,),
        answers={200: dataset_responses.Source},
        errors=(SourceNotFound,),
    ),
    Route(
        method="GET",
        path=f"{BASE}/sources",
        handler=list_sources,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.DATASETS,
        summary="List sources of datasets by name",
        description=_OF_NO_NAMESPACE,
        parameters=(NAME_PREFIX, LIMIT, OFFSET, STALE),
        answers={200: dataset_responses.Sources},
    ),
)

"""Namespaces: defined, read, listed, deleted. Answers come from the catalog."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.errors import Invalid
from service.http import definitions
from service.http.fast_path import json_response
from service.http.openapi import responses
from service.http.parameters import LIMIT, NAME_PREFIX, OFFSET, STALE
from service.http.paths import BASE, NAMESPACE
from service.http.permissions import binding_of
from service.http.recorded import RECORDED_HEADER, recorded_position
from service.http.request_values import caller, json_body, name, slice_of, wait_unless_stale
from service.http.resources import RESOURCES, settle_lineage
from service.http.route import Body, Reach, Route, Tag, parameters_of
from service.http.views import namespace_view
from service.not_found import NamespaceNotFound
from service.payloads.json_writer import dump
from service.payloads.schemas import PutNamespace


async def put_namespace(request: web.Request) -> web.Response:
    """Define a namespace, and answer with it."""
    resources = request.app[RESOURCES]
    namespace = name(request, "namespace")
    result = await definitions.define_namespace(resources, namespace, await json_body(request), caller(request))
    found = await definitions.find_namespace(resources, namespace, binding_of(request))
    return json_response(request, dump(namespace_view(found)), recorded=recorded_position(result))


async def get_namespace(request: web.Request) -> web.Response:
    """Read a namespace, also a deleted one."""
    await _wait(request)
    namespace = name(request, "namespace")
    registers = await definitions.find_namespace(request.app[RESOURCES], namespace, binding_of(request))
    return json_response(request, dump(namespace_view(registers)))


async def _wait(request: web.Request) -> None:
    """Wait until namespaces are as all events make them that were recorded before the request."""
    await wait_unless_stale(request)
    if not parameters_of(request)[STALE]:
        await settle_lineage(request.app[RESOURCES])


async def delete_namespace(request: web.Request) -> web.Response:
    """Delete a namespace, and answer with it as it was."""
    namespace = name(request, "namespace")
    registers, result = await definitions.delete_namespace(request.app[RESOURCES], namespace, caller(request))
    return json_response(request, dump(namespace_view(registers)), recorded=recorded_position(result))


async def list_namespaces(request: web.Request) -> web.Response:
    """List namespaces."""
    prefix, page = parameters_of(request)[NAME_PREFIX], slice_of(request)
    await _wait(request)
    namespaces = await request.app[RESOURCES].namespaces.page(prefix or "", page, binding_of(request))
    return json_response(request, dump({"namespaces": [namespace_view(registers) for registers in namespaces]}))


ROUTES = (
    Route(
        method="PUT",
        path=NAMESPACE,
        handler=put_namespace,
        scope=Scope.WRITE,
        reach=Reach.WITHIN,
        tag=Tag.NAMESPACES,
        summary="Define a namespace",
        description="Defining a namespace again as it is records nothing.",
        body=Body(PutNamespace),
        answers={200: responses.Namespace},
        headers={200: RECORDED_HEADER},
        errors=(Invalid,),
    ),
    Route(
        method="GET",
        path=NAMESPACE,
        handler=get_namespace,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.NAMESPACES,
        summary="Read a namespace",
        description="A deleted one is answered, too, with `isHidden`.",
        parameters=(STALE,),
        answers={200: responses.Namespace},
        errors=(NamespaceNotFound,),
    ),
    Route(
        method="DELETE",
        path=NAMESPACE,
        handler=delete_namespace,
        scope=Scope.WRITE,
        reach=Reach.WITHIN,
        tag=Tag.NAMESPACES,
        summary="Delete a namespace",
        description="Records a mark in the ledger; nothing is removed. Answers with the namespace as it was.",
        answers={200: responses.Namespace},
        headers={200: RECORDED_HEADER},
        errors=(NamespaceNotFound,),
    ),
    Route(
        method="GET",
        path=f"{BASE}/namespaces",
        handler=list_namespaces,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.NAMESPACES,
        summary="List namespaces by name, those of jobs and those of datasets",
        parameters=(NAME_PREFIX, LIMIT, OFFSET, STALE),
        answers={200: responses.Namespaces},
    ),
)

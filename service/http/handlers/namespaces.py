"""Namespaces: defined, listed, deleted."""

from __future__ import annotations

from aiohttp import web

from service.domain import timestamps
from service.domain.decisions import DefineNamespace, Delete
from service.domain.event import Subject
from service.errors import NamespaceNotFound
from service.http import views
from service.http.fast_path import json_response
from service.http.json_bodies import read_put_namespace
from service.http.parameters import caller, json_body, name, slice_of, wait_unless_stale
from service.http.resources import RESOURCES, Resources, wait_for_catalog
from service.ledger import drafts
from service.payloads.contents import namespace_content
from service.payloads.json_writer import dump


async def put_namespace(request: web.Request) -> web.Response:
    """PUT /namespaces/{namespace}."""
    resources = request.app[RESOURCES]
    namespace = name(request, "namespace")
    body = await json_body(request)
    wanted = read_put_namespace(body)
    at = timestamps.now()
    decoded = namespace_content(wanted, at, drafts.short_digest("namespace", at.isoformat(), body))
    draft = drafts.definition(Subject.NAMESPACE, (namespace, None), at, body, decoded, caller(request))
    result = await resources.appender.command(draft, DefineNamespace(wanted.ownerName, wanted.description))
    await wait_for_catalog(resources, result)
    return json_response(request, await _namespace(resources, namespace))


async def get_namespace(request: web.Request) -> web.Response:
    """GET /namespaces/{namespace}; a deleted one is answered, with isHidden."""
    resources = request.app[RESOURCES]
    await wait_unless_stale(request)
    return json_response(request, await _namespace(resources, name(request, "namespace")))


async def delete_namespace(request: web.Request) -> web.Response:
    """DELETE /namespaces/{namespace}: answers with it as it was."""
    resources = request.app[RESOURCES]
    namespace = name(request, "namespace")
    await resources.catalog.wait_until_current()
    view = await _namespace(resources, namespace)
    draft = drafts.deletion(Subject.NAMESPACE, (namespace, None), timestamps.now(), caller(request))
    await wait_for_catalog(resources, await resources.appender.command(draft, Delete()))
    return json_response(request, view)


async def list_namespaces(request: web.Request) -> web.Response:
    """GET /namespaces."""
    resources = request.app[RESOURCES]
    part = slice_of(request)
    await wait_unless_stale(request)
    found = await resources.queries.namespaces(part)
    return json_response(request, dump({"namespaces": [views.namespace_view(namespace) for namespace in found]}))


async def _namespace(resources: Resources, namespace: str) -> bytes:
    found = await resources.queries.namespace(namespace)
    if found is None:
        raise NamespaceNotFound(namespace)
    return dump(views.namespace_view(found))

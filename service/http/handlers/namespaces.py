"""Namespaces: defined, listed, deleted."""

from __future__ import annotations

from aiohttp import web

from service.domain import timestamps
from service.domain.decisions import Known, Verdict
from service.domain.event import Subject
from service.domain.namespace import NamespaceDefinition, NamespaceRegisters
from service.errors import NamespaceNotFound
from service.http import views
from service.http.fast_path import answer
from service.http.handlers.jobs import _delete, _recorded
from service.http.json_bodies import read_put_namespace
from service.http.parameters import caller, fresh, json_body, name, slice_of
from service.http.resources import RESOURCES, Resources
from service.ledger import drafts
from service.payloads.contents import namespace_said
from service.payloads.json_writer import dump
from service.payloads.schemas import PutNamespace


async def put_namespace(request: web.Request) -> web.Response:
    """PUT /namespaces/{namespace}."""
    resources = request.app[RESOURCES]
    namespace = name(request, "namespace")
    body = await json_body(request)
    asked = read_put_namespace(body)
    at = timestamps.now()
    said = namespace_said(asked, at, drafts.digest("namespace", at.isoformat(), body))
    draft = drafts.definition(Subject.NAMESPACE, (namespace, None), at, body, said, caller(request))
    result = await resources.appender.command(draft, lambda standing, known: _define_namespace(standing, known, asked))
    await _recorded(resources, result)
    return answer(request, await _namespace(resources, namespace))


def _define_namespace(standing: NamespaceRegisters | None, _known: Known | None, asked: PutNamespace) -> Verdict:
    """Defining a thing as it is defined already records nothing."""
    defined = standing.definition if standing and not standing.hidden else None
    same = isinstance(defined, NamespaceDefinition) and (defined.owner, defined.description) == (
        asked.ownerName,
        asked.description,
    )
    return Verdict.UNCHANGED if same else Verdict.APPEND


async def get_namespace(request: web.Request) -> web.Response:
    """GET /namespaces/{namespace}; a deleted one is answered, with isHidden."""
    resources = request.app[RESOURCES]
    await fresh(request)
    return answer(request, await _namespace(resources, name(request, "namespace")))


async def delete_namespace(request: web.Request) -> web.Response:
    """DELETE /namespaces/{namespace}: answers with it as it was."""
    resources = request.app[RESOURCES]
    namespace = name(request, "namespace")
    await resources.catalog.catch_up()
    view = await _namespace(resources, namespace)
    draft = drafts.deletion(Subject.NAMESPACE, (namespace, None), timestamps.now(), caller(request))
    await _recorded(resources, await resources.appender.command(draft, _delete))
    return answer(request, view)


async def list_namespaces(request: web.Request) -> web.Response:
    """GET /namespaces."""
    resources = request.app[RESOURCES]
    part = slice_of(request)
    await fresh(request)
    found = await resources.lists.namespaces(part)
    return answer(request, dump({"namespaces": [views.namespace_view(namespace) for namespace in found]}))


async def _namespace(resources: Resources, namespace: str) -> bytes:
    found = await resources.lists.namespace(namespace)
    if found is None:
        raise NamespaceNotFound(namespace)
    return dump(views.namespace_view(found))

"""The description of the API: for programs, for people, and a page for each error."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.errors import NotFound
from service.http.addresses import ADDRESSES
from service.http.fast_path import json_response
from service.http.openapi import document, html, pages
from service.http.route import ROUTE_TABLE, Reach, Route, Tag

_LOCAL = "http://localhost:5000"
"""The origin in shell commands where no proxy tells by which the reader has come."""


async def schema(request: web.Request) -> web.Response:
    """Answer this API as OpenAPI 3.1."""
    addresses = request.app[ADDRESSES]
    server = (addresses.origin(request) or "") + addresses.prefix(request)
    return json_response(request, document.document_json(request.app[ROUTE_TABLE], server))


def _page(request: web.Request, content: bytes) -> web.Response:
    addresses = request.app[ADDRESSES]
    return html.page_response(content, addresses.prefix(request), addresses.origin(request) or _LOCAL)


async def read(request: web.Request) -> web.Response:
    """Answer the page of this API."""
    return _page(request, pages.docs_page(request.app[ROUTE_TABLE]))


async def error(request: web.Request) -> web.Response:
    """Answer the page of an error: what it means and what to do."""
    page = pages.error_pages().get(request.match_info["code"])
    if page is None:
        raise NotFound("there is no error of this code; /docs lists all codes")
    return _page(request, page)


ROUTES = (
    Route(
        method="GET",
        path="/openapi.json",
        handler=schema,
        scope=Scope.OPEN,
        reach=Reach.NO_DATA,
        tag=Tag.SERVICE,
        summary="Read this document",
        answers={200: "application/json"},
    ),
    Route(
        method="GET",
        path="/docs",
        handler=read,
        scope=Scope.OPEN,
        reach=Reach.NO_DATA,
        tag=Tag.SERVICE,
        summary="Read this document as a page",
        answers={200: "text/html"},
    ),
    Route(
        method="GET",
        path="/errors/{code}",
        handler=error,
        scope=Scope.OPEN,
        reach=Reach.NO_DATA,
        tag=Tag.SERVICE,
        summary="Read what an error means and what to do",
        answers={200: "text/html"},
        errors=(NotFound,),
    ),
)

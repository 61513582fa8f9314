"""What tells of the API: for programs, for people, and for whoever met an error."""

import orjson
from aiohttp import web

from service.errors import NotFound
from service.http.fast_path import json_response
from service.http.openapi import document, pages


async def schema(request: web.Request) -> web.Response:
    """GET /openapi.json: this API as OpenAPI 3.1."""
    return json_response(request, orjson.dumps(document.document(request.app)))


async def read(request: web.Request) -> web.Response:
    """GET /docs: this API, to be read."""
    return pages.docs(document.document(request.app))


async def error(request: web.Request) -> web.Response:
    """GET /errors/{code}: what an error means and what to do."""
    found = pages.error(request.match_info["code"])
    if found is None:
        raise NotFound("there is no error of this code; /docs lists those there are")
    return found


async def root(_request: web.Request) -> web.Response:
    """GET /: leads to /docs."""
    return web.Response(status=web.HTTPFound.status_code, headers={"Location": "/docs"}, text="See /docs.\n")

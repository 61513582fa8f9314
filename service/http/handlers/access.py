"""What the caller may do: for programs that offer only what will not be refused."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.http.fast_path import json_response
from service.http.openapi import responses
from service.http.paths import BASE
from service.http.route import CONTEXT, Reach, Route, Tag
from service.payloads.json_writer import dump


async def read(request: web.Request) -> web.Response:
    """Read what the API key of the request may do; without authentication everything."""
    context = request[CONTEXT]
    binding = context.binding
    view = {
        "key": context.actor,
        "scope": context.scope or "admin",
        "namespaces": None if binding is None else binding.patterns,
    }
    return json_response(request, dump(view))


ROUTES = (
    Route(
        method="GET",
        path=f"{BASE}/access",
        handler=read,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.SERVICE,
        summary="Read what the API key may do",
        description="Its name, scope and namespaces. Without authentication `key` is null, and everything is allowed.",
        answers={200: responses.Access},
    ),
)

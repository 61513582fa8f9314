"""The short way to what schedulers ask all day: a run, its transitions, and whatever else lies below a run.

aiohttp finds a route by walking the path from its end and matching patterns; for these a look into a dictionary is
enough (docs/decisions/0014-short-ways.md). Whatever is not as plain as that goes aiohttp's way, to the same
handlers.
"""

from __future__ import annotations

from collections.abc import Awaitable

from aiohttp import hdrs, web

from service.http.openapi.operations import BASE

_PREFIX = f"{BASE}/jobs/runs/"
_LENGTH = len(_PREFIX)
_RUN = f"{_PREFIX}{{id}}"


class Front:
    """Takes every request of an application."""

    def __init__(self, app: web.Application) -> None:
        """Take an application whose routes are all there."""
        self._app = app
        routes = [] if app.middlewares else app.router.routes()  # a middleware sees what the application handles
        found = [(route, route.resource.canonical) for route in routes if route.resource is not None]
        self._short = {(route.method, path.removeprefix(_RUN)): route for route, path in found if path.startswith(_RUN)}

    def __call__(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        """Return the answer to come."""
        assert isinstance(request, web.Request)  # noqa: S101  that is what the application's factory makes
        path = request.rel_url.raw_path
        if path.startswith(_PREFIX):
            run, slash, rest = path[_LENGTH:].partition("/")
            route = self._short.get((request.method, slash + rest))
            if route is not None and run and "%" not in run and hdrs.EXPECT not in request.headers:
                match = web.UrlMappingMatchInfo({"id": run}, route)
                match.add_app(self._app)
                request._match_info = match  # noqa: SLF001  what the application itself does
                return route.handler(request)
        return self._app._handle(request)  # noqa: SLF001  what its server calls

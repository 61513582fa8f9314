"""Liveness and readiness of the process."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.database import migrations
from service.errors import RunfoldError, Unavailable
from service.http.fast_path import json_response
from service.http.openapi import responses
from service.http.resources import RESOURCES, Resources
from service.http.route import Route, Tag
from service.payloads.json_writer import dump


async def livez(request: web.Request) -> web.Response:
    """Answer that the process runs."""
    return json_response(request, b'{"status":"alive"}')


def check_clock(resources: Resources) -> str:
    """Return `ok`, or why events cannot be recorded because of a clock."""
    return resources.end.clock_problem() or "ok"


async def readyz(request: web.Request) -> web.Response:
    """Answer whether the database is reachable, its schema is current, the queue is not full and clocks agree."""
    resources = request.config_dict[RESOURCES]
    checks = {"queue": "full" if resources.appender.full else "ok", "clock": check_clock(resources)}
    try:
        revision = await resources.queries.revision()
        newest = migrations.newest_revision()
        checks["database"] = "ok"
        checks["migrations"] = "ok" if revision == newest else f"at {revision}, {newest} is needed"
    except RunfoldError as error:
        checks["database"] = error.detail
    ready = set(checks.values()) == {"ok"}
    if not ready:
        raise Unavailable("; ".join(f"{check}: {result}" for check, result in checks.items() if result != "ok"))
    return json_response(request, dump({"status": "ready", "checks": checks}))


ROUTES = (
    Route(
        method="GET",
        path="/livez",
        handler=livez,
        scope=Scope.OPEN,
        tag=Tag.SERVICE,
        summary="Check that the process runs",
        answers={200: responses.Alive},
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=readyz,
        scope=Scope.OPEN,
        tag=Tag.SERVICE,
        summary="Check that the service takes requests",
        description="The database answers, its schema is current, the queue is not full, and clocks agree.",
        answers={200: responses.Readiness},
        errors=(Unavailable,),
    ),
)

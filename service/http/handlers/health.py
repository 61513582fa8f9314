"""Whether the process lives, and whether it takes work."""

from __future__ import annotations

from aiohttp import web

from service.database import migrations
from service.errors import RunfoldError, Unavailable
from service.http.fast_path import json_response
from service.http.resources import RESOURCES
from service.payloads.json_writer import dump


async def livez(request: web.Request) -> web.Response:
    """GET /livez: the process answers."""
    return json_response(request, b'{"status":"alive"}')


async def readyz(request: web.Request) -> web.Response:
    """GET /readyz: database reachable, migrations at head, queue not full."""
    resources = request.config_dict[RESOURCES]
    checks = {"queue": "full" if resources.appender.full else "ok"}
    try:
        revision = await resources.queries.revision()
        wanted = migrations.newest_revision()
        checks["database"] = "ok"
        checks["migrations"] = "ok" if revision == wanted else f"at {revision}, {wanted} is needed"
    except RunfoldError as error:
        checks["database"] = error.detail
    ready = set(checks.values()) == {"ok"}
    if not ready:
        raise Unavailable("; ".join(f"{check}: {found}" for check, found in checks.items() if found != "ok"))
    return json_response(request, dump({"status": "ready", "checks": checks}))

"""Liveness and readiness of the process."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.catalog.queries import MAX_COUNTED
from service.database.statements import LINEAGE
from service.errors import RunfoldError, Unavailable
from service.http.fast_path import json_response
from service.http.openapi import responses
from service.http.parameters import MAX_AGE
from service.http.resources import RESOURCES, STOPPING, Resources
from service.http.route import Reach, Route, Tag, parameters_of
from service.payloads.json_writer import dump


async def livez(request: web.Request) -> web.Response:
    """Answer that the process runs."""
    return json_response(request, b'{"status":"alive"}')


def check_clock(resources: Resources) -> str:
    """Return `ok`, or why events cannot be recorded because of a clock."""
    return resources.end.clock_problem() or "ok"


async def readyz(request: web.Request) -> web.Response:
    """Answer whether requests can be recorded and lists be answered."""
    resources, max_age_s = request.config_dict[RESOURCES], parameters_of(request)[MAX_AGE]
    return json_response(request, await resources.shared.answer("ready", max_age_s, lambda _: _readiness(request)))


async def _readiness(request: web.Request) -> bytes:
    """Return the answer of a process that is ready. Raises Unavailable.

    Only `detail` of an error is shown: anybody may ask, and its reason may name a role or a database.
    """
    resources = request.config_dict[RESOURCES]
    checks = {"queue": "full" if resources.appender.full else "ok", "clock": check_clock(resources)}
    warnings: list[str] = []
    try:
        schema = await resources.queries.schema()
        checks["database"] = "ok"
        checks["migrations"] = schema.problem or "ok"
        if schema.problem is None:
            if schema.is_newer:  # during a rolling upgrade
                warnings.append(
                    f"a newer version has migrated the schema to {schema.revision}, and lets this one go on"
                )
            await _check_catalog(resources, checks, warnings)
    except RunfoldError as error:
        checks["database"] = error.detail
    if request.config_dict[STOPPING].is_set():
        checks["service"] = "it is stopping"
    if resources.monitor.problem is not None:
        warnings.append(resources.monitor.problem)
    ready = set(checks.values()) == {"ok"}
    if not ready:
        raise Unavailable("; ".join(f"{check}: {result}" for check, result in checks.items() if result != "ok"))
    answer = {"status": "ready", "checks": checks}
    return dump(answer | {"warnings": warnings} if warnings else answer)


async def _check_catalog(resources: Resources, checks: dict[str, str], warnings: list[str]) -> None:
    """Add the checks of what is written to the database: the ledger and the catalog."""
    health = await resources.queries.health()
    if health.read_only:
        checks["database"] = _READ_ONLY
    elif problem := resources.appender.health.problem:
        checks["database"] = problem
    checks["projector"] = resources.catalog.problem(*await resources.queries.positions()) or "ok"
    if problem := resources.lineage.problem(*await resources.queries.positions(LINEAGE)):
        # Not a reason to be not ready: events are recorded, and lists of runs are answered.
        warnings.append(f"datasets and lineage are not projected: {problem}")
    set_aside = max(health.set_aside, health.lineage_set_aside)
    if set_aside:
        # Not a reason to be not ready: one event would take every process away from its callers.
        warnings.append(f"events that could not be projected: {_count(set_aside)}; run: runfold doctor")


def _count(number: int) -> str:
    return str(number) if number < MAX_COUNTED else f"{MAX_COUNTED} or more"


_READ_ONLY = "it is read-only: a standby, or set to read-only"


ROUTES = (
    Route(
        method="GET",
        path="/livez",
        handler=livez,
        scope=Scope.OPEN,
        reach=Reach.NO_DATA,
        tag=Tag.SERVICE,
        summary="Check that the process runs",
        answers={200: responses.Alive},
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=readyz,
        scope=Scope.OPEN,
        reach=Reach.NO_DATA,
        tag=Tag.SERVICE,
        summary="Check that the service takes requests",
        description="The database answers and takes writes, this version may use its schema, the queue is not full, "
        "the clocks agree, the projector works and makes progress, and the service is not stopping. `warnings` need an "
        "operator; any other process would have them, too.",
        parameters=(MAX_AGE,),
        answers={200: responses.Readiness},
        errors=(Unavailable,),
    ),
)

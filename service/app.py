"""Puts the service together: routes, middleware, and resources opened and closed in one list."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from service.appender import Appender
from service.catalog import Catalog
from service.domain import RunState
from service.handlers import definitions, health, lineage, runs
from service.lineage import Lineage
from service.link import Link, Pool
from service.lists import Lists
from service.middleware import access_log, answer_errors
from service.reader import Reader
from service.resources import RESOURCES, Resources
from service.settings import Settings

_WRITERS = 2
_BULK = 2
_READERS = 2

SETTINGS = web.AppKey("settings", Settings)
BASE = "/api/v1"


def build_app(settings: Settings) -> web.Application:
    """Return the application; what it needs is opened when it starts and closed, drained, when it stops."""
    middlewares = [access_log(), answer_errors] if settings.access_log else [answer_errors]
    app = web.Application(
        middlewares=middlewares,
        client_max_size=settings.max_body_bytes,
        handler_args={"auto_decompress": False},  # service/bodies.py says why
    )
    app[SETTINGS] = settings
    app.cleanup_ctx.append(_resources)
    app.add_routes(_routes())
    return app


def _routes() -> list[web.RouteDef]:
    run, job, namespace = (
        f"{BASE}/jobs/runs/{{id}}",
        f"{BASE}/namespaces/{{namespace}}/jobs/{{job}}",
        (f"{BASE}/namespaces/{{namespace}}"),
    )
    return [
        web.post(f"{run}/start", runs.transition_to(RunState.RUNNING)),
        web.post(f"{run}/complete", runs.transition_to(RunState.COMPLETED)),
        web.post(f"{run}/fail", runs.transition_to(RunState.FAILED)),
        web.post(f"{run}/abort", runs.transition_to(RunState.ABORTED)),
        web.get(f"{run}/facets", runs.facets),
        web.get(f"{run}/children", lineage.children),
        web.get(run, runs.read),
        web.post(f"{BASE}/runs/lookup", runs.look_up),
        web.post(f"{job}/runs", runs.create),
        web.get(f"{job}/runs", runs.list_of_job),
        web.put(job, definitions.put_job),
        web.get(job, definitions.get_job),
        web.delete(job, definitions.delete_job),
        web.get(f"{namespace}/jobs", definitions.list_jobs),
        web.get(f"{BASE}/jobs", definitions.list_jobs),
        web.put(namespace, definitions.put_namespace),
        web.get(namespace, definitions.get_namespace),
        web.delete(namespace, definitions.delete_namespace),
        web.get(f"{BASE}/namespaces", definitions.list_namespaces),
        web.post(f"{BASE}/lineage", lineage.record),
        web.post(f"{BASE}/lineage/batch", lineage.record_batch),
        web.get(f"{BASE}/events/lineage", lineage.list_events),
        web.get("/livez", health.livez),
        web.get("/readyz", health.readyz),
    ]


async def _resources(app: web.Application) -> AsyncIterator[None]:
    """Open in this order, close in the other: requests are answered before what answers them goes."""
    settings = app[SETTINGS]

    def link() -> Link:
        return Link(settings.database_url, statement_cache_size=settings.statement_cache_size)

    def some(count: int) -> list[Link]:
        opened = [link() for _ in range(count)]
        links.extend(opened)
        return opened

    links: list[Link] = []
    pool = Pool(settings.database_url, statement_cache_size=settings.statement_cache_size)
    catalog = Catalog(*some(2))
    appender = Appender(
        some(_WRITERS),
        some(_BULK),
        capacity=settings.queue_capacity,
        max_batch=settings.max_batch,
        on_append=catalog.appended,
    )
    reader = Reader(some(_READERS), capacity=settings.queue_capacity)
    for part in (catalog, appender, reader):
        part.start()
    app[RESOURCES] = Resources(settings, appender, reader, catalog, Lists(pool))
    yield
    await appender.drain()
    await reader.drain()
    await catalog.close()
    for opened in links:
        await opened.close()
    await pool.close()

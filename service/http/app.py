"""Puts the service together: routes, middleware, and resources opened and closed in one list."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from service.audit.ledger_reader import Audit
from service.audit.postings import Posting
from service.audit.tail import Tail
from service.catalog.freshness import Catalog
from service.catalog.lineage_events import Lineage
from service.catalog.projector import Folder, Folds
from service.catalog.projector_process import FoldingProcess, folding_links
from service.catalog.queries import Lists
from service.catalog.searches import Searches
from service.database.connections import Link, Pool
from service.database.lanes import Lanes
from service.domain.run import RunState
from service.http.authentication import Guard
from service.http.connections import HANDLER_ARGS
from service.http.handlers import (
    docs,
    event_stream,
    events,
    health,
    jobs,
    ledger,
    lineage,
    metrics,
    run_history,
    run_search,
    runs,
)
from service.http.handlers.metrics import METER, REGISTRY, process_registry
from service.http.middleware import access_log, around, missing
from service.http.openapi.operations import BASE, REST
from service.http.request_metrics import Meter
from service.http.resources import RESOURCES, Resources
from service.ledger.appender import Appender
from service.ledger.batch import OnAppend
from service.ledger.default_namespace import define_default
from service.ledger.run_reader import Reader
from service.settings import APART, Settings

_BULK = 2
_READERS = 2
_AUDITORS = 4

SETTINGS = web.AppKey("settings", Settings)
GUARD = web.AppKey("guard", Guard)


def build_app(settings: Settings) -> web.Application:
    """Return the application; what it needs is opened when it starts and closed, drained, when it stops."""
    guard = Guard(_link(settings), settings.auth)
    meter = Meter()
    app = web.Application(
        middlewares=[access_log()] if settings.access_log else [],
        client_max_size=settings.max_body_bytes,
        handler_args=HANDLER_ARGS,
    )
    app[SETTINGS], app[GUARD], app[METER], app[REGISTRY] = settings, guard, meter, process_registry()
    app.cleanup_ctx.append(_resources)
    app.on_shutdown.append(_hang_up)
    wrapped = around(guard, meter)
    app.add_routes([web.route(one.method, one.path, wrapped(one.handler), **one.kwargs) for one in _routes()])
    return app


def _routes() -> list[web.RouteDef]:
    # Not aiohttp's own pattern for a part of a path: it takes no braces, and names may hold any character.
    run = f"{BASE}/jobs/runs/{{id:[^/]+}}"
    namespace = f"{BASE}/namespaces/{{namespace:[^/]+}}"
    job = f"{namespace}/jobs/{{job:[^/]+}}"
    return [
        # Routes of one prefix are tried in this order: the busiest first.
        web.post(f"{run}/start", runs.transition_to(RunState.RUNNING)),
        web.get(run, run_history.read),
        web.post(f"{run}/complete", runs.transition_to(RunState.COMPLETED)),
        web.post(f"{run}/fail", runs.transition_to(RunState.FAILED)),
        web.post(f"{run}/abort", runs.transition_to(RunState.ABORTED)),
        web.get(f"{run}/facets", runs.facets),
        web.get(f"{run}/children", lineage.children),
        web.get(f"{run}/events", run_history.events),
        web.post(f"{BASE}/runs/lookup", runs.look_up),
        web.post(f"{job}/runs", runs.create),
        web.get(f"{job}/runs", runs.list_of_job),
        web.put(job, jobs.put_job),
        web.get(job, jobs.get_job),
        web.delete(job, jobs.delete_job),
        web.get(f"{namespace}/jobs", jobs.list_jobs),
        web.get(f"{BASE}/jobs", jobs.list_jobs),
        web.put(namespace, jobs.put_namespace),
        web.get(namespace, jobs.get_namespace),
        web.delete(namespace, jobs.delete_namespace),
        web.get(f"{BASE}/namespaces", jobs.list_namespaces),
        web.post(f"{BASE}/lineage", lineage.record),
        web.post(f"{BASE}/lineage/batch", lineage.record_batch),
        web.get(f"{BASE}/events/lineage", lineage.list_events),
        web.get(f"{BASE}/runs", run_search.runs),
        web.get(f"{BASE}/events", events.read),
        web.get(f"{BASE}/events/count", events.count),
        web.get(f"{BASE}/events/stream", event_stream.listen),
        web.get(f"{BASE}/ledger/head", ledger.head),
        web.get(f"{BASE}/ledger/verify", ledger.check),
        web.get("/livez", health.livez),
        web.get("/readyz", health.readyz),
        web.get("/metrics", metrics.read),
        web.get("/openapi.json", docs.schema),
        web.get("/docs", docs.read),
        web.get("/errors/{code}", docs.error),
        web.get("/", docs.root),
        web.route("*", REST.replace("}", r":[\s\S]*}"), missing),
    ]


def _link(settings: Settings, *, keep_plans: bool = False) -> Link:
    return Link(settings.database_url, statement_cache_size=settings.statement_cache_size, keep_plans=keep_plans)


def _folds(settings: Settings, links: list[Link]) -> Folds:
    """Return who folds the catalog: a process of its own, or a task of this one."""
    if settings.folding == APART:
        return FoldingProcess(settings)
    opened = folding_links(settings)
    links.extend(opened)
    return Folder(*opened)


def _told(catalog: Catalog, posting: Posting, tail: Tail, meter: Meter) -> OnAppend:
    """Return what hears of each commit: up to which position, and how many events."""

    def appended(position: int, events: int) -> None:
        catalog.appended(position)
        posting.appended(position)
        tail.appended(position)
        if events:
            meter.appended(events)

    return appended


async def _hang_up(app: web.Application) -> None:
    """Let listeners go first: their requests have no end of their own."""
    app[RESOURCES].tail.hang_up()


async def _resources(app: web.Application) -> AsyncIterator[None]:
    """Open in this order, close in the other: requests are answered before what answers them goes."""
    settings, guard = app[SETTINGS], app[GUARD]

    def some(count: int, *, keep_plans: bool = False) -> list[Link]:
        opened = [_link(settings, keep_plans=keep_plans) for _ in range(count)]
        links.extend(opened)
        return opened

    links: list[Link] = []
    pool = Pool(settings.database_url, statement_cache_size=settings.statement_cache_size)
    catalog = Catalog(_folds(settings, links), *some(1))
    posting = Posting(*some(1))
    lanes = Lanes(some(_AUDITORS))
    audit = Audit(lanes, seen=posting.appended)
    tail = Tail(audit)
    (writing,) = some(1, keep_plans=True)
    appender = Appender(
        writing,
        some(_BULK),
        capacity=settings.queue_capacity,
        max_batch=settings.max_batch,
        on_append=_told(catalog, posting, tail, app[METER]),
        keep_up=catalog.keep_up,
    )
    reader = Reader(some(_READERS, keep_plans=True), capacity=settings.queue_capacity)
    for part in (catalog, appender, reader, posting, tail):
        part.start()
    app[RESOURCES] = Resources(
        settings, appender, reader, catalog, Lists(pool), Lineage(pool), audit, Searches(lanes), tail
    )
    await guard.start(app.router.routes())
    await define_default(appender)
    yield
    await guard.close()
    await appender.drain()
    await reader.drain()
    await tail.close()
    await posting.close()
    await catalog.close()
    for opened in links:
        await opened.close()
    await pool.close()

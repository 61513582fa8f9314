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
from service.catalog.queries import Lists, Searches
from service.database.connections import Lanes, Link, Pool
from service.http.authentication import Guard
from service.http.handlers.metrics import METER, REGISTRY, process_registry
from service.http.middleware import access_log, around
from service.http.request_metrics import Meter
from service.http.resources import RESOURCES, Resources
from service.http.routes import routes
from service.http.server_protocol import HANDLER_ARGS
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
    app.add_routes([web.route(one.method, one.path, wrapped(one.handler), **one.kwargs) for one in routes()])
    return app


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

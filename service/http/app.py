"""Puts the service together: routes, middleware, and resources opened and closed in one list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from service.audit.ledger_reader import Audit
from service.audit.postings import Posting
from service.audit.tail import Tail
from service.catalog.freshness import Catalog
from service.catalog.lineage_events import Lineage
from service.catalog.projector import Folder, Folds
from service.catalog.projector_process import FoldingProcess, projector_connections
from service.catalog.queries import Lists, Searches
from service.database.connections import Connections
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
_LISTS = 4
_AUDITORS = 4

SETTINGS = web.AppKey("settings", Settings)
GUARD = web.AppKey("guard", Guard)


def build_app(settings: Settings) -> web.Application:
    """Return the application; what it needs is opened when it starts and closed, drained, when it stops."""
    guard = Guard(Connections(settings.database_url, statement_cache_size=settings.statement_cache_size), settings.auth)
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


class _Opened:
    """The connections of a process, remembered in order to be closed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._all: list[Connections] = []

    def connections(self, size: int = 1, **options: Any) -> Connections:  # noqa: ANN401  those of Connections
        opened = Connections(
            self._settings.database_url, size, statement_cache_size=self._settings.statement_cache_size, **options
        )
        return self.keep(opened)

    def keep(self, opened: Connections) -> Connections:
        self._all.append(opened)
        return opened

    async def close(self) -> None:
        for opened in self._all:
            await opened.close()


def _folds(settings: Settings, opened: _Opened) -> Folds:
    """Return who folds the catalog: a process of its own, or a task of this one."""
    if settings.folding == APART:
        return FoldingProcess(settings)
    return Folder(opened.keep(projector_connections(settings)))


async def _resources(app: web.Application) -> AsyncIterator[None]:
    """Open in this order, close in the other: requests are answered before what answers them goes."""
    settings, guard = app[SETTINGS], app[GUARD]
    opened = _Opened(settings)
    lists = opened.connections(_LISTS, sequential_scans=True)
    catalog = Catalog(_folds(settings, opened), opened.connections())
    posting = Posting(opened.connections())
    auditors = opened.connections(_AUDITORS)
    audit = Audit(auditors, seen=posting.appended)
    tail = Tail(audit)
    appender = Appender(
        opened.connections(keep_plans=True),
        opened.connections(_BULK, wait_s=None),
        capacity=settings.queue_capacity,
        max_batch=settings.max_batch,
        on_append=_told(catalog, posting, tail, app[METER]),
        keep_up=catalog.keep_up,
    )
    reader = Reader(opened.connections(_READERS, keep_plans=True), capacity=settings.queue_capacity)
    for part in (catalog, appender, reader, posting, tail):
        part.start()
    app[RESOURCES] = Resources(
        settings, appender, reader, catalog, Lists(lists), Lineage(lists), audit, Searches(auditors), tail
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
    await opened.close()

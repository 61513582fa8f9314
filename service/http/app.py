"""Puts the service together: routes, middleware, and resources opened and closed in one list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from service.audit.ledger_reader import LedgerReader
from service.audit.postings import PostingsWriter
from service.audit.run_history import RunHistory
from service.audit.tail import LedgerTail
from service.catalog.freshness import CatalogFreshness
from service.catalog.lineage_events import LineageEventReader
from service.catalog.projector import CatalogProjector, Projector
from service.catalog.projector_process import ProjectorProcess, projector_connections
from service.catalog.queries import CatalogQueries, RunSearch
from service.database.connections import Connections
from service.http.authentication import Authenticator
from service.http.handlers.metrics import REGISTRY, REQUEST_METRICS, process_registry
from service.http.middleware import access_log, wrap_handlers
from service.http.request_metrics import RequestMetrics
from service.http.resources import RESOURCES, Resources
from service.http.routes import routes
from service.http.server_protocol import HANDLER_ARGS
from service.ledger.appender import Appender
from service.ledger.batch import OnAppend
from service.ledger.default_namespace import define_default
from service.ledger.run_reader import RunReader
from service.settings import PROCESS, Settings

_BULK = 2
_READERS = 2
_LISTS = 4
_AUDITORS = 4

SETTINGS = web.AppKey("settings", Settings)
GUARD = web.AppKey("guard", Authenticator)


def build_app(settings: Settings) -> web.Application:
    """Return the application; what it needs is opened when it starts and closed, drained, when it stops."""
    guard = Authenticator(
        Connections(settings.database_url, statement_cache_size=settings.statement_cache_size), settings.auth
    )
    meter = RequestMetrics()
    app = web.Application(
        middlewares=[access_log()] if settings.access_log else [],
        client_max_size=settings.max_body_bytes,
        handler_args=HANDLER_ARGS,
    )
    app[SETTINGS], app[GUARD], app[REQUEST_METRICS], app[REGISTRY] = settings, guard, meter, process_registry()
    app.cleanup_ctx.append(_resources)
    app.on_shutdown.append(_hang_up)
    wrapped = wrap_handlers(guard, meter)
    app.add_routes([web.route(one.method, one.path, wrapped(one.handler), **one.kwargs) for one in routes()])
    return app


def _told(catalog: CatalogFreshness, posting: PostingsWriter, tail: LedgerTail, meter: RequestMetrics) -> OnAppend:
    """Return what hears of each commit: up to which position, and how many events."""

    def appended(position: int, events: int) -> None:
        catalog.notify_appended(position)
        posting.notify_appended(position)
        tail.notify_appended(position)
        if events:
            meter.appended(events)

    return appended


async def _hang_up(app: web.Application) -> None:
    """Let listeners go first: their requests have no end of their own."""
    app[RESOURCES].tail.disconnect_all()


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


def _folds(settings: Settings, opened: _Opened) -> CatalogProjector:
    """Return who folds the catalog: a process of its own, or a task of this one."""
    if settings.projector == PROCESS:
        return ProjectorProcess(settings)
    return Projector(opened.keep(projector_connections(settings)))


async def _resources(app: web.Application) -> AsyncIterator[None]:
    """Open in this order, close in the other: requests are answered before what answers them goes."""
    settings, guard = app[SETTINGS], app[GUARD]
    opened = _Opened(settings)
    lists = opened.connections(_LISTS, sequential_scans=True)
    catalog = CatalogFreshness(_folds(settings, opened), opened.connections())
    posting = PostingsWriter(opened.connections())
    auditors = opened.connections(_AUDITORS)
    audit = LedgerReader(auditors, on_head=posting.notify_appended)
    tail = LedgerTail(audit)
    appender = Appender(
        opened.connections(keep_plans=True),
        opened.connections(_BULK, wait_s=None),
        capacity=settings.queue_capacity,
        max_batch=settings.max_batch,
        on_append=_told(catalog, posting, tail, app[REQUEST_METRICS]),
        throttle=catalog.throttle,
        catch_up=catalog.wait_until_current,
    )
    reader = RunReader(opened.connections(_READERS, keep_plans=True), capacity=settings.queue_capacity)
    for part in (catalog, appender, reader, posting, tail):
        part.start()
    app[RESOURCES] = Resources(
        settings,
        appender,
        reader,
        catalog,
        CatalogQueries(lists),
        LineageEventReader(lists),
        audit,
        RunHistory(audit),
        RunSearch(auditors),
        tail,
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

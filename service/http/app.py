"""Builds the application: its routes, and its resources, which are opened and closed in one list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

from aiohttp import web

from service.audit.brief_batch import BRIEFS
from service.audit.ledger_reader import LedgerReader
from service.audit.postings import PostingsWriter
from service.audit.run_history import RunHistory
from service.audit.tail import LedgerTail
from service.audit.tail_batch import WHOLE_EVENTS
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.freshness import CatalogFreshness
from service.catalog.lineage_events import LineageEventReader
from service.catalog.projector import Projector
from service.catalog.projector_interface import CatalogProjector
from service.catalog.queries import CatalogQueries
from service.catalog.run_search import RunSearch
from service.catalog.run_totals import RunTotals
from service.catalog.run_tree import RunTrees
from service.database.connections import Connections
from service.database.outages import DatabaseState
from service.domain.registers import FACET_LIMITS
from service.http.addresses import ADDRESSES, Addresses
from service.http.admission import ADMISSION, Admission
from service.http.authentication import GUARD, Authenticator
from service.http.body_budget import BODY_BUDGET, BodyBudget
from service.http.cross_site import CrossSiteGuard
from service.http.handlers.metrics import process_report
from service.http.handlers.ui import PAGES
from service.http.key_limits import KEY_LIMITS, KeyLimits
from service.http.ledger_verification import LedgerVerifier
from service.http.metric_families import REGISTRY, REQUEST_METRICS, process_registry
from service.http.metric_reports import SIBLINGS, NoSiblings, Siblings
from service.http.middleware import NO_PAGE, NO_ROUTE, trace_requests, wrap_handler
from service.http.navigation import is_navigation
from service.http.paths import REST
from service.http.request_metrics import RequestMetrics
from service.http.resources import RESOURCES, STOPPING, Resources
from service.http.route import ROUTE_TABLE, Handler, Route
from service.http.routes import ROUTES
from service.http.server_protocol import HANDLER_ARGS
from service.http.shared_answers import SharedAnswers
from service.ledger.appender import Appender, QueueLimits
from service.ledger.batch import OnAppend
from service.ledger.default_namespace import define_default
from service.ledger.ledger_end import LedgerEnd
from service.ledger.ledger_watch import LedgerWatch
from service.ledger.run_reader import RunReader
from service.lineage.datasets import DatasetQueries
from service.lineage.graphs import Graphs
from service.lineage.job_versions import JobVersions
from service.lineage.namespaces import NamespaceQueries
from service.lineage.pages import LineageProjection
from service.lineage.projector_process import ProjectorProcess, projector_connections
from service.lineage.run_lineage import RunLineageReader
from service.lineage.search import Search
from service.lineage.statistics import Statistics
from service.monitor.silence_monitor import SilenceMonitor
from service.settings import PROCESS, Settings
from service.tracing import Tracing

# Connections to the database.
_BULK = 2
_READERS = 2
_LISTS = 4
_AUDITORS = 4
_GRAPHS = 2

_ANY_PATH = REST.replace("}", r":[\s\S]*}")

SETTINGS = web.AppKey("settings", Settings)
TRACING: web.AppKey[Tracing | None] = web.AppKey("tracing")
_DATABASE_STATE = web.AppKey("database_state", DatabaseState)


def build_app(settings: Settings, siblings: Siblings | None = None, tracing: Tracing | None = None) -> web.Application:
    """Return the application. It opens its resources when it starts; when it stops, it drains and closes them.

    `siblings`: the other workers of the service; None: there are none. `tracing`: records spans.
    """
    FACET_LIMITS.set(settings.max_facets, settings.max_facets_bytes)
    state = DatabaseState(probed=True)
    addresses = Addresses(settings.base_path, settings.trusted_proxies)
    limits = KeyLimits(settings.requests_per_key) if settings.requests_per_key else None
    guard = Authenticator(
        Connections(settings.database_url, statement_cache_size=settings.statement_cache_size, state=state),
        settings.auth,
        CrossSiteGuard(settings.host, settings.allowed_hosts, addresses),
        limits,
    )
    admission = Admission()
    metrics = RequestMetrics(lambda: admission.refused_early)
    app = web.Application(
        client_max_size=settings.max_body_bytes,
        handler_args=HANDLER_ARGS,
    )
    app[SETTINGS], app[GUARD], app[REQUEST_METRICS], app[REGISTRY] = settings, guard, metrics, process_registry()
    app[ROUTE_TABLE], app[_DATABASE_STATE], app[ADDRESSES] = ROUTES, state, addresses
    app[TRACING] = tracing
    app[SIBLINGS] = siblings or NoSiblings()
    app[STOPPING] = asyncio.Event()
    app[BODY_BUDGET] = BodyBudget(settings.pending_body_bytes)
    app[KEY_LIMITS] = limits
    app[ADMISSION] = admission
    app.cleanup_ctx.append(_resources)
    app.on_shutdown.append(_disconnect_streams)

    def wrapped(route: Route) -> Handler:
        handler = wrap_handler(route, guard, metrics, admission, access_log=settings.access_log)
        return handler if tracing is None else trace_requests(handler, route, tracing)

    app.add_routes([web.route(each.method, each.pattern, wrapped(each)) for each in (*ROUTES, *PAGES)])
    no_route, no_page = wrapped(NO_ROUTE), wrapped(NO_PAGE)

    async def nothing_here(request: web.Request) -> web.StreamResponse:
        return await (no_page if is_navigation(request) else no_route)(request)

    app.router.add_route(NO_ROUTE.method, _ANY_PATH, nothing_here)
    return app


def _on_append(
    catalog: CatalogFreshness,
    lineage: CatalogFreshness,
    posting: PostingsWriter,
    tails: Sequence[LedgerTail],
    metrics: RequestMetrics,
    tracing: Tracing | None,
) -> OnAppend:
    """Return the function that is called after each commit with the last position and the number of events."""

    def appended(position: int, events: int) -> None:
        if tracing is not None and events and (batch := tracing.current_context()) is not None:
            catalog.link(position, batch)
        catalog.notify_appended(position)
        lineage.notify_appended(position)
        posting.notify_appended(position)
        for tail in tails:
            tail.notify_appended(position)
        if events:
            metrics.appended(events)

    return appended


async def _disconnect_streams(app: web.Application) -> None:
    """End the event streams first: their requests do not end by themselves."""
    for tail in (app[RESOURCES].tail, app[RESOURCES].briefs):
        tail.disconnect_all()


class _ConnectionRegistry:
    """Opens the connections of a process, and closes them all."""

    def __init__(self, settings: Settings, state: DatabaseState) -> None:
        self._settings = settings
        self._state = state
        self._all: list[Connections] = []

    def connections(self, size: int = 1, **options: Any) -> Connections:  # noqa: ANN401  those of Connections
        settings = self._settings
        return self.add(
            Connections(
                settings.database_url,
                size,
                statement_cache_size=settings.statement_cache_size,
                state=self._state,
                **options,
            )
        )

    def for_requests(self, size: int = 1, **options: Any) -> Connections:  # noqa: ANN401
        """Return connections that a request uses for a limited time, including the wait for one."""
        return self.connections(size, limit_s=self._settings.database_timeout, **options)

    def add(self, connections: Connections) -> Connections:
        self._all.append(connections)
        return connections

    async def close(self) -> None:
        for connections in self._all:
            await connections.close()


def _make_projectors(
    settings: Settings, registry: _ConnectionRegistry, tracing: Tracing | None
) -> tuple[CatalogProjector, CatalogProjector]:
    """Return the projectors of the catalog and of lineage: in a process of their own, or as tasks of this one."""
    if settings.projector == PROCESS:
        process = ProjectorProcess(settings)
        return process.catalog, process.lineage
    state = DatabaseState()  # of statements that may take a minute: they do not show whether requests are answered
    catalog = Projector(CatalogProjection(registry.add(projector_connections(settings, state))), tracing)
    lineage = LineageProjection(registry.add(projector_connections(settings, state)))
    return catalog, Projector(lineage, gives_way_to=catalog)


async def _resources(app: web.Application) -> AsyncIterator[None]:
    """Open the resources, and close them in the reverse order: pending requests are answered first."""
    settings, guard = app[SETTINGS], app[GUARD]
    registry, limit_s = _ConnectionRegistry(settings, app[_DATABASE_STATE]), settings.database_timeout

    def forget_positions() -> None:
        for each in (catalog, lineage, posting, *tails, shared, guard):
            each.forget_positions()

    def request_projection(position: int) -> None:
        for each in (catalog, lineage):
            each.request(position)

    end = LedgerEnd(timedelta(seconds=settings.max_clock_lead), forget_positions)
    lists = registry.for_requests(_LISTS, sequential_scans=True)
    catalog_projector, lineage_projector = _make_projectors(settings, registry, app[TRACING])
    catalog = CatalogFreshness(catalog_projector, registry.for_requests(), end)
    lineage = CatalogFreshness(
        lineage_projector, registry.for_requests(), end, "the projection of datasets and lineage"
    )
    posting = PostingsWriter(registry.connections())
    auditors = registry.for_requests(_AUDITORS)
    audit = LedgerReader(auditors, on_head=posting.notify_appended)
    tails = LedgerTail(audit, WHOLE_EVENTS), LedgerTail(audit, BRIEFS)
    shared = SharedAnswers(catalog.wait_until_current)
    readers = registry.connections(_READERS, keep_plans=True, command_timeout_s=limit_s)
    reader = RunReader(readers, capacity=settings.queue_capacity)

    on_append = _on_append(catalog, lineage, posting, tails, app[REQUEST_METRICS], app[TRACING])
    watch = LedgerWatch(
        registry.connections(command_timeout_s=limit_s / 2),
        end,
        lambda position: on_append(position, 0),
        request_projection,
    )
    appender = Appender(
        registry.connections(keep_plans=True, command_timeout_s=limit_s),
        registry.connections(_BULK, wait_s=None, command_timeout_s=limit_s),
        readers,
        limits=QueueLimits(settings.queue_capacity, settings.queue_bytes, settings.max_batch),
        on_append=on_append,
        throttle=catalog.throttle,
        catch_up=catalog.wait_until_current,
        end=end,
        tracing=app[TRACING],
    )
    monitor = SilenceMonitor(auditors, appender, end, settings.silent_after)
    for resource in (catalog, lineage, appender, reader, posting, *tails, watch, monitor):
        resource.start()

    def pace_projectors() -> None:
        for each in (catalog, lineage):
            each.pace(slow=app[ADMISSION].limiting)

    app[ADMISSION].batches_waiting = lambda: appender.depth / settings.max_batch
    app[ADMISSION].on_limiting = pace_projectors
    app[RESOURCES] = Resources(
        settings,
        app[ADDRESSES],
        appender,
        reader,
        catalog,
        lineage,
        CatalogQueries(lists),
        NamespaceQueries(lists),
        DatasetQueries(lists),
        RunLineageReader(lists),
        JobVersions(lists),
        LineageEventReader(lists),
        audit,
        LedgerVerifier(settings.database_url, audit),
        RunHistory(audit),
        Graphs.of(registry.for_requests(_GRAPHS, keep_plans=True)),
        RunSearch(auditors),
        RunTotals(lists),
        RunTrees(lists),
        Search(lists),
        Statistics(auditors),
        *tails,
        shared,
        end,
        monitor,
    )
    await guard.start()
    await define_default(appender)
    app[SIBLINGS].start(lambda: process_report(app))
    yield
    await app[SIBLINGS].close()
    await guard.close()
    await monitor.close()
    await appender.drain()
    await reader.drain()
    await watch.close()
    for tail in tails:
        await tail.close()
    await posting.close()
    await catalog.close()
    await lineage.close()
    await registry.close()

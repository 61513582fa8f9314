"""Metrics of this process and of the ledger, for Prometheus."""

from collections.abc import Iterator
from typing import NamedTuple

from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.auth.keys import Scope
from service.catalog.queries import CatalogHealth, MarkedRuns
from service.errors import Unavailable
from service.http.body_budget import BODY_BUDGET, BodyBudget
from service.http.request_metrics import RequestMetrics
from service.http.resources import RESOURCES, Resources
from service.http.route import Route, Tag

REQUEST_METRICS = web.AppKey("request_metrics", RequestMetrics)
REGISTRY = web.AppKey("registry", CollectorRegistry)


async def read(request: web.Request) -> web.Response:
    """Answer the metrics of this process, of its queue, of the ledger and of the catalog."""
    app, resources = request.config_dict, request.config_dict[RESOURCES]
    database = await _database(resources)
    service = _ServiceCollector(app[REQUEST_METRICS], app[BODY_BUDGET], resources, database)
    text = b"".join(generate_latest(registry) for registry in (app[REGISTRY], _registry(service)))
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


def process_registry() -> CollectorRegistry:
    """Return the registry of the metrics that any process has: memory, CPU, open files."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def _registry(collector: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry


class _DatabaseReadings(NamedTuple):
    """The positions of the ledger's head and of the catalog, what needs an operator, and what else the metrics show."""

    head: int
    projected: int
    health: CatalogHealth
    marked: MarkedRuns
    oldest_snapshot_s: float


async def _database(resources: Resources) -> _DatabaseReadings | None:
    """Return the state of the database; None while it cannot be read."""
    queries = resources.queries
    try:
        return _DatabaseReadings(
            *await queries.positions(),
            await queries.health(),
            await queries.marked_runs(),
            await queries.oldest_snapshot_s(),
        )
    except Unavailable:
        return None


class _ServiceCollector(Collector):
    """The metrics of the service at this moment."""

    def __init__(
        self, metrics: RequestMetrics, budget: BodyBudget, resources: Resources, database: _DatabaseReadings | None
    ) -> None:
        self._metrics = metrics
        self._budget = budget
        self._resources = resources
        self._database = database

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of requests, queue, ledger and catalog."""
        yield from self._metrics.families()
        appender = self._resources.appender
        yield GaugeMetricFamily("runfold_queue_depth", "Items that wait to be appended.", appender.depth)
        capacity = self._resources.settings.queue_capacity
        yield GaugeMetricFamily("runfold_queue_capacity", "Items that may wait to be appended.", capacity)
        yield GaugeMetricFamily("runfold_queue_bytes", "Memory of the payloads that wait.", appender.held_bytes)
        limit = self._resources.settings.queue_bytes
        yield GaugeMetricFamily("runfold_queue_capacity_bytes", "Memory that waiting payloads may take.", limit)
        yield GaugeMetricFamily("runfold_pending_body_bytes", "Bytes of requests being received.", self._budget.used)
        refused = self._budget.refused
        yield CounterMetricFamily("runfold_pending_body_refusals", "Requests refused for lack of these bytes.", refused)
        end = self._resources.end
        yield CounterMetricFamily("runfold_ledger_losses", "How often the ledger lost events at its end.", end.losses)
        yield GaugeMetricFamily(
            "runfold_recorded_at_ahead_seconds", "Lead of recorded times over the service's clock.", end.ahead_s
        )
        yield GaugeMetricFamily("runfold_database_up", "Whether the database answers.", self._database is not None)
        restarts = self._resources.catalog.restarts
        yield CounterMetricFamily(
            "runfold_projector_restarts", "Projector processes started in place of one that ended.", restarts
        )
        if self._database is not None:
            head, projected, health, marked, oldest_snapshot_s = self._database
            refused = health.read_only or self._resources.appender.health.problem is not None
            yield GaugeMetricFamily("runfold_database_writable", "Whether the database takes writes.", not refused)
            yield GaugeMetricFamily("runfold_ledger_position", "Events in the ledger, of all processes.", head)
            lag = max(0, head - projected)
            yield GaugeMetricFamily("runfold_catalog_lag_events", "Events not projected into the catalog yet.", lag)
            failing = self._resources.catalog.problem(head, projected) is not None
            yield GaugeMetricFamily(
                "runfold_projector_up", "Whether the projector works and makes progress.", not failing
            )
            yield GaugeMetricFamily(
                "runfold_catalog_set_aside_events", "Events that could not be projected.", health.set_aside
            )
            yield GaugeMetricFamily(
                "runfold_contradicted_runs", "Runs of which ends in several states were reported.", marked.contradicted
            )
            yield GaugeMetricFamily(
                "runfold_restarted_runs", "Runs that were reported as started again after their end.", marked.restarted
            )
            yield GaugeMetricFamily(
                "runfold_database_oldest_snapshot_seconds",
                "Age of the oldest open transaction that keeps old row versions in the database.",
                oldest_snapshot_s,
            )


ROUTES = (
    Route(
        method="GET",
        path="/metrics",
        handler=read,
        # Not open: metrics show what a service is busy with. Prometheus can send a key (`authorization: credentials`),
        # and an operator who wants them open can add the key in a proxy.
        scope=Scope.READ,
        tag=Tag.SERVICE,
        summary="Read the metrics, for Prometheus",
        description="Of the process that answers: with `--workers N` each has its own.",
        answers={200: "text/plain"},
    ),
)

"""Metrics of this process and of the ledger, for Prometheus."""

from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.auth.keys import Scope
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
    positions = await _positions(resources)
    service = _ServiceCollector(app[REQUEST_METRICS], app[BODY_BUDGET], resources, positions)
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


async def _positions(resources: Resources) -> tuple[int, int] | None:
    """Return the positions of the ledger's head and of the catalog; None while the database does not answer."""
    try:
        return await resources.queries.positions()
    except Unavailable:
        return None


class _ServiceCollector(Collector):
    """The metrics of the service at this moment."""

    def __init__(
        self, metrics: RequestMetrics, budget: BodyBudget, resources: Resources, positions: tuple[int, int] | None
    ) -> None:
        self._metrics = metrics
        self._budget = budget
        self._resources = resources
        self._positions = positions

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
        yield GaugeMetricFamily("runfold_database_up", "Whether the database answers.", self._positions is not None)
        if self._positions is not None:
            ledger, catalog = self._positions
            yield GaugeMetricFamily("runfold_ledger_position", "Events in the ledger, of all processes.", ledger)
            lag = max(0, ledger - catalog)
            yield GaugeMetricFamily("runfold_catalog_lag_events", "Events not projected into the catalog yet.", lag)


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

"""Metrics for Prometheus, of this process and of the ledger."""

from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.errors import Unavailable
from service.http.request_metrics import RequestMetrics
from service.http.resources import RESOURCES, Resources

REQUEST_METRICS = web.AppKey("meter", RequestMetrics)
REGISTRY = web.AppKey("registry", CollectorRegistry)


async def read(request: web.Request) -> web.Response:
    """GET /metrics: what this process did, how much waits, how far the catalog is behind; for Prometheus."""
    app, resources = request.config_dict, request.config_dict[RESOURCES]
    positions = await _positions(resources)
    text = b"".join(
        generate_latest(registry)
        for registry in (app[REGISTRY], _registry(_Now(app[REQUEST_METRICS], resources, positions)))
    )
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


def process_registry() -> CollectorRegistry:
    """Return what Prometheus clients tell of any process: memory, CPU, open files."""
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
    """Where the ledger ends and the catalog stands; None while the database does not answer."""
    try:
        return await resources.queries.positions()
    except Unavailable:
        return None


class _Now(Collector):
    """The service at this moment."""

    def __init__(self, meter: RequestMetrics, resources: Resources, positions: tuple[int, int] | None) -> None:
        self._meter = meter
        self._resources = resources
        self._positions = positions

    def collect(self) -> Iterator[Metric]:
        """Return everything but what any process has."""
        yield from self._meter.families()
        appender = self._resources.appender
        yield GaugeMetricFamily("runfold_queue_depth", "Items that wait to be appended.", appender.depth)
        capacity = self._resources.settings.queue_capacity
        yield GaugeMetricFamily("runfold_queue_capacity", "Items that may wait to be appended.", capacity)
        found = self._positions
        yield GaugeMetricFamily("runfold_database_up", "Whether the database answers.", found is not None)
        if found is not None:
            yield GaugeMetricFamily("runfold_ledger_position", "Events in the ledger, of all processes.", found[0])
            lag = max(0, found[0] - found[1])
            yield GaugeMetricFamily("runfold_catalog_lag_events", "Events not folded into the catalog yet.", lag)

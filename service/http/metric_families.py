"""The metrics of the service: those that a process counts by itself, and those that are read from the database.

docs/metrics.md lists them all; a test compares it with what is served.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from typing import NamedTuple

from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from service.catalog.queries import CatalogHealth, MarkedRuns
from service.database.statements import LINEAGE
from service.errors import Unavailable
from service.http.admission import ADMISSION
from service.http.body_budget import BODY_BUDGET
from service.http.key_limits import KEY_LIMITS
from service.http.metric_reports import Gathered
from service.http.request_metrics import RequestMetrics, histogram_family
from service.http.resources import RESOURCES, Resources

REQUEST_METRICS = web.AppKey("request_metrics", RequestMetrics)
REGISTRY = web.AppKey("registry", CollectorRegistry)


def process_registry() -> CollectorRegistry:
    """Return the registry of the metrics that any process has: memory, CPU, open files."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def process_families(app: web.Application) -> Iterator[Metric]:
    """Yield the metrics that this process knows by itself."""
    yield from app[REGISTRY].collect()
    yield from app[REQUEST_METRICS].families()
    yield _build_info()
    resources, budget = app[RESOURCES], app[BODY_BUDGET]
    appender, settings = resources.appender, resources.settings
    yield GaugeMetricFamily("runfold_queue_depth", "Items that wait to be appended.", appender.depth)
    yield GaugeMetricFamily("runfold_queue_capacity", "Items that may wait to be appended.", settings.queue_capacity)
    yield GaugeMetricFamily("runfold_queue_bytes", "Memory of the payloads that wait.", appender.held_bytes)
    yield GaugeMetricFamily(
        "runfold_queue_capacity_bytes", "Memory that waiting payloads may take.", settings.queue_bytes
    )
    yield GaugeMetricFamily(
        "runfold_queue_saturation",
        "How full the fullest queue of a worker is, by items or bytes; at 1 requests are refused.",
        appender.saturation,
    )
    health = appender.health
    yield histogram_family(
        "runfold_commit_duration_seconds", "Time from sending a batch of events to its commit.", health.commits
    )
    yield CounterMetricFamily(
        "runfold_append_failures", "Batches that the database did not commit, or may not have.", health.failures
    )
    yield GaugeMetricFamily("runfold_pending_body_bytes", "Bytes of requests being received.", budget.used)
    yield CounterMetricFamily(
        "runfold_pending_body_refusals", "Requests refused for lack of these bytes.", budget.refused
    )
    yield from _limit_families(app)
    yield GaugeMetricFamily(
        "runfold_event_stream_clients",
        "Clients that follow /events/stream.",
        resources.tail.listeners + resources.briefs.listeners,
    )
    yield CounterMetricFamily(
        "runfold_ledger_losses", "How often the ledger lost events at its end.", resources.end.losses
    )
    yield GaugeMetricFamily(
        "runfold_recorded_at_ahead_seconds", "Lead of recorded times over the service's clock.", resources.end.ahead_s
    )
    yield CounterMetricFamily(
        "runfold_projector_restarts",
        "Projector processes started in place of one that ended.",
        resources.catalog.restarts,
    )
    monitor = resources.monitor
    yield CounterMetricFamily(
        "runfold_silent_runs_inferred", "Ends of silent runs that this service inferred.", monitor.inferred
    )
    yield CounterMetricFamily(
        "runfold_silence_monitor_limited", "Looks for silent runs that left some for the next look.", monitor.limited
    )
    yield GaugeMetricFamily(
        "runfold_silence_monitor_up", "Whether the last look for silent runs succeeded.", monitor.problem is None
    )
    yield GaugeMetricFamily(
        "runfold_silence_monitor_active", "Whether this service is the one that looks.", monitor.holds_lease
    )
    yield _writable(health.problem is None)
    yield _projector_up(resources.catalog.projector_problem is None)


@cache
def _build_info() -> Metric:
    family = GaugeMetricFamily("runfold_build_info", "1; the label has the version of Runfold.", labels=["version"])
    family.add_metric([version("runfold")], 1)
    return family


def _limit_families(app: web.Application) -> Iterator[Metric]:
    admission, limits = app[ADMISSION], app[KEY_LIMITS]
    yield GaugeMetricFamily("runfold_requests_under_way", "Requests that are being answered.", admission.under_way)
    yield GaugeMetricFamily("runfold_overloaded", "Workers that refuse requests now.", admission.limiting)
    yield CounterMetricFamily(
        "runfold_overload_refusals", "Requests refused because more arrive than can be answered.", admission.refused
    )
    by_key = CounterMetricFamily(
        "runfold_key_limit_refusals", "Requests refused because of --requests-per-key.", labels=["key"]
    )
    for key, count in limits.refused() if limits is not None else ():
        by_key.add_metric([key], count)
    yield by_key


def _writable(writable: bool) -> Metric:  # noqa: FBT001  the value
    return GaugeMetricFamily("runfold_database_writable", "Whether the database takes writes.", writable)


def _projector_up(up: bool) -> Metric:  # noqa: FBT001  the value
    return GaugeMetricFamily("runfold_projector_up", "Whether the projector works and makes progress.", up)


def worker_families(gathered: Gathered) -> Iterator[Metric]:
    """Yield what is known of the workers."""
    yield GaugeMetricFamily("runfold_workers", "Worker processes of this service.", gathered.workers)
    yield GaugeMetricFamily(
        "runfold_workers_answering", "Worker processes whose figures of now are in this answer.", gathered.answering
    )
    yield CounterMetricFamily(
        "runfold_worker_restarts", "Worker processes started in place of one that ended.", gathered.restarts
    )


class DatabaseReadings(NamedTuple):
    """The positions of the ledger's head and of the catalog, what needs an operator, and what else the metrics show."""

    head: int
    projected: int
    lag_s: float
    lineage_projected: int
    lineage_lag_s: float
    health: CatalogHealth
    marked: MarkedRuns
    oldest_snapshot_s: float
    runs: Mapping[str, int]


async def read_database(resources: Resources) -> DatabaseReadings | None:
    """Return the state of the database; None while it cannot be read."""
    queries = resources.queries
    try:
        head, projected = await queries.positions()
        _, lineage = await queries.positions(LINEAGE)
        return DatabaseReadings(
            head,
            projected,
            await queries.lag_s(projected) if projected < head else 0.0,
            lineage,
            await queries.lag_s(lineage) if lineage < head else 0.0,
            await queries.health(),
            await queries.marked_runs(),
            await queries.oldest_snapshot_s(),
            await resources.run_totals.read(),
        )
    except Unavailable:
        return None


def database_families(resources: Resources, database: DatabaseReadings | None) -> Iterator[Metric]:
    """Yield the metrics of the ledger and of the catalog, which are the same for all processes."""
    yield GaugeMetricFamily("runfold_database_up", "Whether the database answers.", database is not None)
    if database is None:
        yield _writable(False)  # noqa: FBT003  the value
        return
    yield _writable(not database.health.read_only)
    yield _projector_up(resources.catalog.problem(database.head, database.projected) is None)
    yield GaugeMetricFamily("runfold_ledger_position", "Events in the ledger, of all processes.", database.head)
    yield GaugeMetricFamily(
        "runfold_catalog_lag_events",
        "Events not projected into the catalog yet.",
        max(0, database.head - database.projected),
    )
    yield GaugeMetricFamily(
        "runfold_catalog_lag_seconds", "Age of the oldest event not projected into the catalog yet.", database.lag_s
    )
    yield GaugeMetricFamily(
        "runfold_catalog_set_aside_events", "Events that could not be projected.", database.health.set_aside
    )
    yield GaugeMetricFamily(
        "runfold_lineage_lag_events",
        "Events not projected into datasets and lineage yet.",
        max(0, database.head - database.lineage_projected),
    )
    yield GaugeMetricFamily(
        "runfold_lineage_lag_seconds",
        "Age of the oldest event not projected into datasets and lineage yet.",
        database.lineage_lag_s,
    )
    yield GaugeMetricFamily(
        "runfold_lineage_set_aside_events",
        "Events that could not be projected into datasets and lineage.",
        database.health.lineage_set_aside,
    )
    runs = GaugeMetricFamily("runfold_runs", "Runs in the catalog, by state.", labels=["state"])
    for state, total in database.runs.items():
        runs.add_metric([state], total)
    yield runs
    yield GaugeMetricFamily(
        "runfold_contradicted_runs",
        "Runs of which ends in several states were reported.",
        database.marked.contradicted,
    )
    yield GaugeMetricFamily(
        "runfold_restarted_runs",
        "Runs that were reported as started again after their end.",
        database.marked.restarted,
    )
    yield GaugeMetricFamily(
        "runfold_inferred_runs",
        "Runs whose end was not reported, but inferred from their silence.",
        database.marked.inferred,
    )
    yield GaugeMetricFamily(
        "runfold_database_oldest_snapshot_seconds",
        "Age of the oldest open transaction that keeps old row versions in the database.",
        database.oldest_snapshot_s,
    )

"""All routes of the application, in the order in which aiohttp tries them."""

from __future__ import annotations

from service.http.handlers import (
    column_lineage,
    dataset_tags,
    dataset_versions,
    datasets,
    docs,
    event_stream,
    events,
    health,
    job_tags,
    job_versions,
    jobs,
    ledger,
    lineage,
    lineage_graph,
    metrics,
    namespaces,
    run_details,
    run_history,
    run_lineage,
    run_search,
    runs,
    search,
    sources,
    statistics,
    tags,
    transitions,
)
from service.http.route import Route

# aiohttp looks for the fixed beginning of a path first, and then tries the patterns that share it in this order: the
# busiest come first.
ROUTES: tuple[Route, ...] = (
    *runs.ROUTES,
    *transitions.ROUTES,
    *run_history.ROUTES,
    *run_details.ROUTES,
    *run_search.ROUTES,
    *jobs.ROUTES,
    *job_tags.ROUTES,
    *job_versions.ROUTES,
    *datasets.ROUTES,
    *dataset_versions.ROUTES,
    *dataset_tags.ROUTES,
    *sources.ROUTES,
    *tags.ROUTES,
    *namespaces.ROUTES,
    *lineage.ROUTES,
    *lineage_graph.ROUTES,
    *column_lineage.ROUTES,
    *run_lineage.ROUTES,
    *events.ROUTES,
    *event_stream.ROUTES,
    *ledger.ROUTES,
    *search.ROUTES,
    *statistics.ROUTES,
    *health.ROUTES,
    *metrics.ROUTES,
    *docs.ROUTES,
)

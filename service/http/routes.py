"""The routes of the application."""

from __future__ import annotations

from aiohttp import web

from service.domain.event import RunState
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
from service.http.handlers.namespaces import delete_namespace, get_namespace, list_namespaces, put_namespace
from service.http.middleware import no_route
from service.http.paths import BASE, REST


def routes() -> list[web.RouteDef]:
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
        web.put(namespace, put_namespace),
        web.get(namespace, get_namespace),
        web.delete(namespace, delete_namespace),
        web.get(f"{BASE}/namespaces", list_namespaces),
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
        web.route("*", REST.replace("}", r":[\s\S]*}"), no_route),
    ]

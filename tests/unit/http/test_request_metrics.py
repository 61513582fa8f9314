"""The metrics of requests."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.web_urldispatcher import SystemRoute
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from service.http.request_metrics import RequestMetrics


@pytest.fixture
def metrics() -> RequestMetrics:
    return RequestMetrics()


async def nothing(_request):
    return web.Response()


def request(method: str = "GET", path: str | None = "/runs/{id}") -> web.Request:
    route: Any = SystemRoute(web.HTTPNotFound())
    if path is not None:
        route = web.Application().router.add_route(method, path, nothing)
    return cast("web.Request", SimpleNamespace(method=method, match_info=SimpleNamespace(route=route)))


def rendered(metrics: RequestMetrics) -> list[str]:
    class Families(Collector):
        def collect(self):
            return metrics.families()

    registry = CollectorRegistry()
    registry.register(Families())
    return generate_latest(registry).decode().splitlines()


def test_a_request_is_counted_by_route_method_and_status_and_timed_by_route(metrics):
    sent = request()
    metrics.observe(sent, web.Response(), 0.002)
    metrics.observe(sent, web.Response(), 0.2)
    metrics.observe(sent, web.Response(status=404), 30)
    lines = rendered(metrics)
    assert 'runfold_http_requests_total{method="GET",route="/runs/{id}",status="200"} 2.0' in lines
    assert 'runfold_http_requests_total{method="GET",route="/runs/{id}",status="404"} 1.0' in lines
    series = 'runfold_http_request_duration_seconds_bucket{le="%s",method="GET",route="/runs/{id}"} %s'
    assert series % ("0.001", "0.0") in lines
    assert series % ("0.0025", "1.0") in lines
    assert series % ("0.25", "2.0") in lines
    assert series % ("+Inf", "3.0") in lines
    assert 'runfold_http_request_duration_seconds_sum{method="GET",route="/runs/{id}"} 30.202' in lines


def test_a_stream_is_counted_but_not_timed(metrics):
    metrics.observe(request(), web.StreamResponse(), 3600)
    lines = rendered(metrics)
    assert 'runfold_http_requests_total{method="GET",route="/runs/{id}",status="200"} 1.0' in lines
    assert 'runfold_http_request_duration_seconds_count{method="GET",route="/runs/{id}"} 0.0' in lines


def test_whatever_is_asked_of_no_route_makes_no_new_series(metrics):
    for method in ("GET", "BREW", "FROB"):
        for _ in range(3):
            metrics.observe(request(method, None), web.Response(status=404), 0)
    requests = [line for line in rendered(metrics) if line.startswith("runfold_http_requests_total")]
    assert requests == [
        'runfold_http_requests_total{method="GET",route="(no route)",status="404"} 3.0',
        'runfold_http_requests_total{method="(other)",route="(no route)",status="404"} 6.0',
    ]


def test_batches_are_counted_by_size(metrics):
    for events in (1, 3, 700):
        metrics.appended(events)
    lines = rendered(metrics)
    assert "runfold_appended_events_total 704.0" in lines
    assert 'runfold_append_batch_events_bucket{le="1"} 1.0' in lines
    assert 'runfold_append_batch_events_bucket{le="5"} 2.0' in lines
    assert 'runfold_append_batch_events_bucket{le="+Inf"} 3.0' in lines

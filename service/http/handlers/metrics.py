"""Metrics of the service and of the ledger, for Prometheus."""

from __future__ import annotations

from itertools import chain

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from service.auth.keys import Scope
from service.http.metric_families import database_families, process_families, read_database, worker_families
from service.http.metric_reports import SIBLINGS, decode, encode, make_report, merge, render
from service.http.paths import METRICS
from service.http.resources import RESOURCES
from service.http.route import Reach, Route, Tag


async def read(request: web.Request) -> web.Response:
    """Answer the metrics of all workers of the service, of the ledger and of the catalog."""
    app = request.app
    resources = app[RESOURCES]
    database = await read_database(resources)
    own = make_report(process_families(app))
    gathered = await app[SIBLINGS].gather(encode(own))
    common = make_report(chain(worker_families(gathered), database_families(resources, database)))
    text = render(merge([own, *map(decode, gathered.reports), common]))
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


def process_report(app: web.Application) -> bytes:
    """Return the metrics of this process for another worker."""
    return encode(make_report(process_families(app)))


ROUTES = (
    Route(
        method="GET",
        path=METRICS,
        handler=read,
        # Not open: metrics show what a service is busy with. Prometheus can send a key (`authorization: credentials`),
        # and an operator who wants them open can add the key in a proxy.
        scope=Scope.READ,
        reach=Reach.ALL,
        tag=Tag.SERVICE,
        summary="Read the metrics, for Prometheus",
        description="Of the whole service: with `--workers N`, any process answers for all.",
        answers={200: "text/plain"},
    ),
)

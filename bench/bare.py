"""The baseline: the rate at which aiohttp and uvloop answer on this machine if the handler does nothing.

It has the same routes and the same size of answers, in one process on the loopback; no database, validation or state.
"""

import uvloop
from aiohttp import web

RUN_VIEW = (
    b'{"id":"870492da-ecfb-4be0-91b9-9a89ddd3db90","createdAt":"2019-05-09T19:49:24.201361Z",'
    b'"updatedAt":"2019-05-09T19:49:24.201361Z","nominalStartTime":null,"nominalEndTime":null,'
    b'"state":"RUNNING","startedAt":"2019-05-09T15:17:32.690346Z","endedAt":null,"durationMs":null,'
    b'"args":{"email":"me@example.com","retries":"1"},"jobVersion":null,"inputDatasetVersions":[],'
    b'"outputDatasetVersions":[],"facets":{}}'
)


async def show(_request: web.Request) -> web.Response:
    """Return a fixed run view, whatever the id."""
    return web.Response(body=RUN_VIEW, content_type="application/json")


async def create(request: web.Request) -> web.Response:
    """Read the body, as every handler of a POST must, and return 201 with a fixed run view."""
    await request.read()
    return web.Response(status=201, body=RUN_VIEW, content_type="application/json")


async def lineage(request: web.Request) -> web.Response:
    """Read an OpenLineage event and return an empty 201."""
    await request.read()
    return web.Response(status=201)


def build_app() -> web.Application:
    """Return the app with the routes the benchmark drives."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/api/v1/jobs/runs/{id}/start", show)
    app.router.add_get("/api/v1/jobs/runs/{id}", show)
    app.router.add_post("/api/v1/namespaces/{namespace}/jobs/{job}/runs", create)
    app.router.add_post("/api/v1/lineage", lineage)
    return app


def serve(app: web.Application) -> None:
    """Serve on a free port of the loopback until SIGTERM; print the address to standard output."""
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=0, access_log=None)


if __name__ == "__main__":
    serve(build_app())

"""The yardstick: what aiohttp and uvloop answer on this machine when the handler does nothing.

Same routes, same size of answer, one process on loopback; no database, no validation, nothing remembered.
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
    """Answer a run view, whichever run was asked for."""
    return web.Response(body=RUN_VIEW, content_type="application/json")


async def create(request: web.Request) -> web.Response:
    """Take the body in, as any handler that creates must, and answer 201."""
    await request.read()
    return web.Response(status=201, body=RUN_VIEW, content_type="application/json")


async def take(request: web.Request) -> web.Response:
    """Take an OpenLineage event in and answer 201 with nothing."""
    await request.read()
    return web.Response(status=201)


def build_app() -> web.Application:
    """Return the app with the routes the benchmark drives."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/api/v1/jobs/runs/{id}/start", show)
    app.router.add_get("/api/v1/jobs/runs/{id}", show)
    app.router.add_post("/api/v1/namespaces/{namespace}/jobs/{job}/runs", create)
    app.router.add_post("/api/v1/lineage", take)
    return app


def serve(app: web.Application) -> None:
    """Serve on a free port of the loopback until SIGTERM; say the address on standard output."""
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=0, access_log=None)


if __name__ == "__main__":
    serve(build_app())

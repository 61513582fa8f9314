"""The application as `runfold serve` runs it, in the process of the tests."""

from aiohttp import web
from aiohttp.test_utils import TestServer

from service.http.server_protocol import HttpRunner


class Served(TestServer):
    """A server with the service's own connections and short ways."""

    async def _make_runner(self, **settings) -> web.AppRunner:
        return HttpRunner(self.app, **settings)


@web.middleware
async def _pass_on(request, handler):
    return await handler(request)


def without_short_ways(app: web.Application) -> web.Application:
    """Give an application a middleware, which has to see every request and answer: all go aiohttp's own way."""
    app.middlewares.append(_pass_on)
    return app

"""The application as `runfold serve` runs it, in the process of the tests."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from waiting import DEADLINE_S

from service.http.app import build_app
from service.http.server_protocol import HttpRunner
from service.settings import Settings


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


@contextmanager
def served_in_thread(dsn: str, server: type[TestServer] = Served) -> Iterator[TestServer]:
    """Serve a database from an event loop of another thread, so that tests with loops of their own can share it.

    The loop is of the kind that `runfold serve` has: its transports are of other classes than asyncio's.
    """
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> TestServer:
        started = server(build_app(Settings(database_url=dsn)))
        await started.start_server()
        return started

    try:
        started = asyncio.run_coroutine_threadsafe(start(), loop).result(DEADLINE_S)
        yield started
        asyncio.run_coroutine_threadsafe(started.close(), loop).result(DEADLINE_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE_S)
        loop.close()


class Visitor(TestClient):
    """A client of a server that goes on to serve when the client is closed."""

    async def close(self) -> None:
        await self.session.close()

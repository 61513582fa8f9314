"""Serves in one process until SIGTERM or SIGINT; then answers requests in progress, and closes."""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from service import tracing
from service.errors import OperatorError
from service.http.app import build_app
from service.http.metric_reports import Siblings
from service.http.resources import STOPPING
from service.http.server_protocol import HttpRunner
from service.os_process import configure_gc
from service.server.file_descriptors import max_connections, raise_limit
from service.server.sockets import BACKLOG
from service.server.stop_signals import stop_requested
from service.settings import Settings

DRAIN_S = 30.0
"""Seconds that requests in progress have to finish when the service stops."""

CLOSE_S = 60.0
"""Seconds until stopping is given up: an unreachable database must not keep the process alive."""

_CHECK_INTERVAL_S = 0.5

_log = logging.getLogger(__name__)


class ProcessLost(OperatorError):
    """A process that the service depends on has ended unexpectedly."""


HealthCheck = Callable[[], str | None]
"""Returns a sentence about the process that has ended, or None while all are running."""


async def wait_for_stop(stop: asyncio.Event, check: HealthCheck) -> None:
    """Return when `stop` is set; raise ProcessLost when `check` returns a sentence."""
    while not stop.is_set():
        lost = check()
        if lost is not None:
            raise ProcessLost(lost)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _CHECK_INTERVAL_S)


async def serve(
    settings: Settings,
    listener: socket.socket,
    *,
    ready: Callable[[], None],
    check: HealthCheck,
    siblings: Siblings | None = None,
) -> None:
    """Answer requests on a bound socket until a stop signal; call `ready` when it listens. Raises ProcessLost.

    `siblings`: the other workers of the service, if this process is one of several.
    """
    stop = stop_requested()
    room = max_connections(raise_limit())
    recording = tracing.start()
    runner = HttpRunner(
        build_app(settings, siblings, recording), max_connections=room, access_log=None, shutdown_timeout=DRAIN_S
    )
    try:
        await runner.setup()
        configure_gc()
        await web.SockSite(runner, listener, backlog=BACKLOG).start()
        ready()
        await wait_for_stop(stop, check)
        await _drain(runner.app, settings.drain)
    finally:
        await _close(runner, listener)
        if recording is not None:
            recording.stop()


async def _drain(app: web.Application, seconds: float) -> None:
    """Be not ready, and answer requests, until proxies have noticed: a request over a connection that closes fails."""
    app[STOPPING].set()
    if not seconds:
        return
    _log.info("stopping: not ready any more, and answering requests for %.0f s", seconds)
    await asyncio.sleep(seconds)


async def _close(runner: web.AppRunner, listener: socket.socket) -> None:
    _log.info("stopping: answering requests in progress")
    listener.close()
    try:
        async with asyncio.timeout(CLOSE_S):
            await runner.cleanup()
    except TimeoutError:
        _log.error("not everything was closed within %.0f s", CLOSE_S)

"""Serves in one process until told to stop; then answers what is under way, and closes."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from service.errors import OperatorError
from service.http.app import build_app
from service.http.server_protocol import HttpRunner
from service.os_process import configure_gc
from service.server.sockets import BACKLOG
from service.settings import Settings

DRAIN_S = 30.0
"""Seconds that requests under way are given once the service stops."""

CLOSE_S = 60.0
"""Seconds all of stopping is given: a database that went away must not keep the process."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_LOOK_S = 0.5

_log = logging.getLogger(__name__)


class ProcessLost(OperatorError):
    """Something the service cannot do without has ended by itself."""


HealthCheck = Callable[[], str | None]
"""Says what was lost, or None while all is well."""


def stop_requested() -> asyncio.Event:
    """Return what SIGTERM and SIGINT set from now on."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, asked.set)
    return asked


async def wait_for_stop(asked: asyncio.Event, look: HealthCheck) -> None:
    """Return when asked to stop; raise Lost when `look` says so."""
    while not asked.is_set():
        lost = look()
        if lost is not None:
            raise ProcessLost(lost)
        with suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), _LOOK_S)


async def serve(settings: Settings, listener: socket.socket, *, ready: Callable[[], None], look: HealthCheck) -> None:
    """Answer requests on a listening socket, calling `ready` when it does, until a signal. Raises Lost."""
    asked = stop_requested()
    runner = HttpRunner(build_app(settings), access_log=None, shutdown_timeout=DRAIN_S)
    try:
        await runner.setup()
        configure_gc()
        await web.SockSite(runner, listener, backlog=BACKLOG).start()
        ready()
        await wait_for_stop(asked, look)
    finally:
        await _close(runner, listener)


async def _close(runner: web.AppRunner, listener: socket.socket) -> None:
    _log.info("stopping: answering what is under way")
    listener.close()
    try:
        async with asyncio.timeout(CLOSE_S):
            await runner.cleanup()
    except TimeoutError:
        _log.error("not everything could be closed within %.0f s", CLOSE_S)

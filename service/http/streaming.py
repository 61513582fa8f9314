"""Answers that take long: written piece by piece, or given up when nobody waits for them any more.

After the headers are sent, an error can only abort the connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from aiohttp import web

from service.http.fast_path import FastConnection

T = TypeVar("T")

_log = logging.getLogger(__name__)


@contextmanager
def streaming(request: web.Request) -> Iterator[None]:
    """Abort the connection when the answer cannot be finished, so that the client does not take it for complete."""
    try:
        yield
    except ConnectionError:
        return  # the client disconnected
    except Exception:  # noqa: BLE001  whatever it is, a second answer cannot follow
        _log.exception("%s: the answer was aborted", request.path)
        _abort(request)


def disconnection(request: web.Request) -> asyncio.Future[None]:
    """Return a future that is done when the client has disconnected: a stream that waits does not notice by itself."""
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def set_gone() -> None:
        if not gone.done():
            gone.set_result(None)

    connection = request.protocol
    if isinstance(connection, FastConnection):
        connection.on_lost = set_gone
    if request.transport is None:
        set_gone()
    return gone


CLIENT_CLOSED_REQUEST = 499
"""The status, in logs and metrics, of a request whose client has disconnected before it was answered."""


async def while_connected(request: web.Request, work: Coroutine[Any, Any, T]) -> T | None:
    """Return the result of work that only this request needs; None when the client has disconnected: it is cancelled.

    The statement that the database is executing for it is cancelled there, too.
    """
    gone, task = disconnection(request), asyncio.ensure_future(work)
    try:
        await asyncio.wait((gone, task), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if isinstance(request.protocol, FastConnection):
            request.protocol.on_lost = None
    return None


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def write(response: web.StreamResponse, data: bytes) -> None:
    """Write. Raises ConnectionError where the client has disconnected, or was, as it does not read."""
    if data:
        await response.write(data)

"""Answers that are written while they are read: once begun, they can be broken off, but no longer be an error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

_log = logging.getLogger(__name__)

READ_PATIENCE_S = 10.0
"""Seconds a client may leave what was sent unread before it is cut off."""


@contextmanager
def streaming(request: web.Request) -> Iterator[None]:
    """Break the connection off where the answer cannot be finished, so that nobody takes it for whole."""
    try:
        yield
    except ConnectionError:
        return  # the client left
    except TimeoutError:
        _log.info("%s: cut off a client that does not read", request.path)
        _abort(request)
    except Exception:  # noqa: BLE001  whatever it is, a second answer cannot follow
        _log.exception("%s: broken off", request.path)
        _abort(request)


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def write(response: web.StreamResponse, data: bytes) -> None:
    """Write; raises TimeoutError where the client does not read."""
    if data:
        async with asyncio.timeout(READ_PATIENCE_S):
            await response.write(data)

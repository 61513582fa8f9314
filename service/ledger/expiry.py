"""Fails requests that wait for the database longer than a limit, whatever the statement that they wait for does.

It looks at them a few times a second. A timer for each request would cost every request several microseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from service.errors import Unavailable

_TICKS = 20
"""How often each request is looked at before it fails; it fails up to a tick later than the limit."""


async def expire(limit_s: float, pending: Callable[[], Iterable[asyncio.Future[Any]]], message: str) -> None:
    """Fail each of the pending futures with Unavailable when it has been pending for the limit; never returns."""
    ages: dict[asyncio.Future[Any], int] = {}
    while True:
        await asyncio.sleep(limit_s / _TICKS)
        ages = {future: ages.get(future, 0) + 1 for future in pending() if not future.done()}
        for future, age in ages.items():
            if age >= _TICKS:
                future.set_exception(Unavailable(f"the database did not answer within {limit_s:g} s; {message}"))

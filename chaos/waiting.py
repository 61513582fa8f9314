"""Waiting for conditions, and the error for an invariant that does not hold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

_POLL_S = 0.02


class Violation(Exception):
    """An invariant does not hold; the message names it and the evidence."""


async def until(condition: Callable[[], Awaitable[object]], what: str, seconds: float) -> None:
    """Poll until the condition holds. Raises Violation if it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > end:
            raise Violation(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(_POLL_S)

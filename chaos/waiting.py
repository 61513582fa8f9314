"""What must hold, and waiting for what will."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

_POLL_S = 0.02


class Violation(Exception):
    """An invariant does not hold; says which, and by what."""


async def until(condition: Callable[[], Awaitable[object]], what: str, seconds: float) -> None:
    """Ask again and again until the condition holds. Raises Violation when it does not in time."""
    end = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > end:
            raise Violation(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(_POLL_S)

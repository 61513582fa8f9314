"""Waits for conditions, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

DEADLINE_S = 30.0


async def wait_until(condition: Callable[[], Awaitable[object]], what: str, deadline: float = DEADLINE_S) -> None:
    """Check a condition until it holds: a test that waits for a database has no other signal."""
    try:
        async with asyncio.timeout(deadline):
            while not await condition():  # noqa: ASYNC110  the database sends no signal
                await asyncio.sleep(0.005)
    except TimeoutError:
        pytest.fail(f"not within {deadline} s: {what}")

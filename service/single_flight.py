"""Work that several callers wait for, and that is done once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


def begin(work: Awaitable[T]) -> asyncio.Task[T]:
    """Return a task that goes on where the caller that began it does not: each caller awaits it by `asyncio.shield`."""
    task = asyncio.ensure_future(_result(work))
    task.add_done_callback(has_failed)
    return task


async def _result(work: Awaitable[T]) -> T:
    return await work


def has_failed(task: asyncio.Task[Any]) -> bool:
    """Tell whether a task has ended without a result.

    Its error is retrieved: where no caller waits any more, asyncio would log that it never was.
    """
    return task.done() and (task.cancelled() or task.exception() is not None)

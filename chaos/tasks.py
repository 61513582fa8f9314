"""Ending in good order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any


async def run(work: Coroutine[Any, Any, None]) -> None:
    """Run; SIGTERM ends it like Ctrl-C, so that what was started is ended too."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task

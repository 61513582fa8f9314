"""Runs a benchmark until it is done or terminated."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def run_until_terminated(work: Coroutine[Any, Any, None]) -> None:
    """Run `work`. SIGTERM ends it like Ctrl-C, so that the programs it started are ended, too."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task

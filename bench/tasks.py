"""Runs a benchmark until it is done or terminated."""

from __future__ import annotations

import argparse
import asyncio
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.embedded.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping


async def run_until_terminated(work: Coroutine[Any, Any, None]) -> None:
    """Run `work`. SIGTERM ends it like Ctrl-C, so that the programs it started are ended, too."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


def ask_repeatedly(
    description: str | None,
    times: int,
    settings: Mapping[str, str],
    work: Callable[[str, Path, int], Coroutine[Any, Any, None]],
) -> None:
    """Parse the command line of a benchmark, and run it with the URL of a server, a directory, and how often to ask."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=times, help="times each question is asked (default %(default)s)")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="rfb-", ignore_cleanup_errors=True) as directory,
        EmbeddedPostgres(Path(directory) / "data", settings=settings) as postgres,
    ):
        asyncio.run(run_until_terminated(work(postgres.dsn, Path(directory), options.times)))

"""Command line options, and how both programs run and print."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaos.waiting import Violation

MOST_S = 24 * 3600


def parser(description: str, seconds: int) -> argparse.ArgumentParser:
    """Return a parser of the options that both programs have."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--seconds", type=_seconds, default=seconds, help=f"duration in total (default {seconds})")
    made.add_argument(
        "--seed",
        default=secrets.token_hex(4),
        help="the same seed repeats the same faults and lives of runs (default: a random one)",
    )
    made.add_argument("--clients", type=_clients, default=24, help="number of concurrent clients (default 24)")
    made.add_argument("--keep", type=Path, metavar="DIRECTORY", help="keep data and logs in DIRECTORY")
    return made


def _seconds(text: str) -> int:
    if not 1 <= int(text) <= MOST_S:
        raise argparse.ArgumentTypeError(f"1 to {MOST_S}")
    return int(text)


def _clients(text: str) -> int:
    if not 1 <= int(text) <= 200:
        raise argparse.ArgumentTypeError("1 to 200")
    return int(text)


@contextmanager
def directory(keep: Path | None) -> Iterator[Path]:
    """Provide a directory for data and logs; a temporary one is removed afterwards."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="runfold-chaos-") as made:
        yield Path(made)


def report(seed: str, work: Coroutine[Any, Any, None]) -> int:
    """Run `work` and return the exit status: 1 after a Violation, which is printed. SIGTERM ends it like Ctrl-C."""
    print_progress(f"seed {seed}")
    try:
        asyncio.run(_run_until_terminated(work))
    except Violation as violation:
        notes = ", ".join(["", *getattr(violation, "__notes__", [])])
        print(f"\nVIOLATED (seed {seed}{notes}): {violation}", flush=True)
        return 1
    return 0


async def _run_until_terminated(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


def print_progress(text: str) -> None:
    """Print a line of progress to standard error."""
    print(text, file=sys.stderr, flush=True)

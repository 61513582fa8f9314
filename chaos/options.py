"""What the command line says."""

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
    """Return what reads the options both programs have."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--seconds", type=_seconds, default=seconds, help=f"how long, in all (default {seconds})")
    made.add_argument(
        "--seed", default=secrets.token_hex(4), help="repeats the same faults and lives (default: a new one)"
    )
    made.add_argument("--clients", type=_clients, default=24, help="how many ask at once (default 24)")
    made.add_argument("--keep", type=Path, metavar="DIRECTORY", help="keep data and logs there")
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
    """Give a directory for data and logs."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="runfold-chaos-") as made:
        yield Path(made)


def report(seed: str, work: Coroutine[Any, Any, None]) -> int:
    """Run, and return the exit status: 1 with what was violated. SIGTERM ends it like Ctrl-C."""
    say(f"seed {seed}")
    try:
        asyncio.run(_until_done_or_told(work))
    except Violation as violation:
        notes = ", ".join(["", *getattr(violation, "__notes__", [])])
        print(f"\nVIOLATED (seed {seed}{notes}): {violation}", flush=True)
        return 1
    return 0


async def _until_done_or_told(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)

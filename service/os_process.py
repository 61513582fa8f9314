"""What every process of ours does at its start: end with its parent, and not look for garbage all the time."""

import ctypes
import gc
import os
import signal
import sys
from contextlib import suppress

PR_SET_PDEATHSIG = 1

# Loaded here: between fork and exec nothing may be.
libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def terminate_with_parent(parent: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel end this process, new from its parent, when the parent dies, however it dies (Linux)."""
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def configure_gc() -> None:
    """Collect garbage seldom, and never what was there at the start (docs/decisions/0008-garbage.md)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def use_batch_scheduling() -> None:
    """Be no reason to interrupt whoever answers requests: what this process does can wait for the next free moment.

    Not a lower priority, which would let it starve where there is no free moment.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # a container may forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this package in a process of its own.

    `-P` keeps the working directory out of the module search path: a `service.py` that lies there is not imported.
    """
    return [sys.executable, "-P", "-m", module, *arguments]

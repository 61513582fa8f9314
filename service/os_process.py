"""How the service's processes start, are scheduled, collect garbage, and end with their parent."""

import ctypes
import gc
import os
import signal
import sys
from contextlib import suppress

PR_SET_PDEATHSIG = 1

# Loaded here: nothing may be loaded between fork and exec.
libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def terminate_with_parent(parent: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel send `number` to this process when its parent ends, for whatever reason (Linux only).

    Exits at once if the parent has ended already.
    """
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def configure_gc() -> None:
    """Collect garbage rarely, and exempt the objects that exist now (docs/decisions/0008-garbage-collection.md)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def use_batch_scheduling() -> None:
    """Switch this process to SCHED_BATCH so that it does not preempt the serving process (Linux only).

    A lower priority would let it starve on a machine that is always busy.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # a container may forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this package in a process of its own.

    `-P` keeps the working directory out of the module search path: a `service.py` there is not imported.
    """
    return [sys.executable, "-P", "-m", module, *arguments]

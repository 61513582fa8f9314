"""Reads the processes of the service and of PostgreSQL from /proc."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_GONE = (FileNotFoundError, ProcessLookupError)


def family(pid: int) -> Iterator[int]:
    """Yield a process and all its descendants."""
    yield pid
    for child in _children(pid):
        yield from family(child)


def _children(pid: int) -> list[int]:
    with suppress(*_GONE):
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return []


def command_line(pid: int) -> str:
    """Return the command line of a process; empty if the process has ended."""
    with suppress(*_GONE):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    return ""


def is_postgres(pid: int) -> bool:
    """Return whether a process is one of PostgreSQL's."""
    with suppress(*_GONE):
        return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
    return False


def backends(postmaster: int) -> list[int]:
    """Return the backends, which serve connections."""
    return [pid for pid in _children(postmaster) if command_line(pid).startswith("postgres: runfold ")]


def server_processes(postmaster: int) -> list[int]:
    """Return all processes of a PostgreSQL server."""
    return [pid for pid in family(postmaster) if is_postgres(pid)]


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal; do nothing if the process has ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    with suppress(*_GONE):
        text = Path(f"/proc/{pid}/stat").read_text()
        return text[text.rindex(")") + 2] not in "ZX"
    return False


def set_apart(pid: int) -> None:
    """Leave a processor to a process alone: its descendants, this program, and what these start have the others.

    Raises OSError where there is one processor only.
    """
    first, *others = sorted(os.sched_getaffinity(0))
    for each in family(pid):
        _bind(each, {first} if each == pid else set(others))
    _bind(os.getpid(), set(others))


def _bind(pid: int, processors: set[int]) -> None:
    with suppress(*_GONE):
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), processors)


def waited(pid: int) -> float:
    """Return for how many seconds the main thread of a process was ready and had no processor; 0 if it has ended."""
    with suppress(*_GONE):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) * 1e-9
    return 0.0


def resident(pid: int) -> int:
    """Return the proportional set size of a process in bytes: shared pages are divided among their users."""
    with suppress(*_GONE, PermissionError):
        found = re.search(r"^Pss:\s+(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else 0
    return 0


def descriptors(pid: int) -> int:
    """Return the number of open files of a process."""
    with suppress(*_GONE):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0

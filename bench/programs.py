"""Starts the programs under test, reads their usage from /proc, and ends them. It ends only what it started."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|localhost):(\d+)")
START_S = 60.0
STOP_S = 60.0
TICKS = os.sysconf("SC_CLK_TCK")


class DidNotStartError(Exception):
    """A program ended or printed no address in time; the message has the end of its output."""


@dataclass(frozen=True)
class Usage:
    """CPU seconds that a program and its children have used so far, and their memory in bytes now."""

    cpu_s: float
    cpu_postgres_s: float
    rss: int
    rss_postgres: int


class Program:
    """A server on the loopback that prints its address."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self.port = 0
        self._process = process

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @classmethod
    async def start(cls, name: str, command: Sequence[str | Path], directory: Path) -> Self:
        """Start the program and wait until it prints its address. Its output goes to a file in `directory`."""
        log = directory / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: ASYNC220  returns at once
                [str(part) for part in command],
                cwd=directory,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        program = cls(name, process, log)
        try:
            program.port = await program._address()
        except BaseException:
            await program.stop()
            raise
        return program

    async def _address(self) -> int:
        for _ in range(int(START_S / 0.05)):
            found = ADDRESS.search(self.log.read_text(errors="replace"))
            if found and found[1] != "0":
                return int(found[1])
            if self._process.poll() is not None:
                break
            await asyncio.sleep(0.05)
        raise DidNotStartError(f"{self.name} printed no address:\n{self.log.read_text(errors='replace')[-3000:]}")

    async def stop(self) -> None:
        """End it with SIGTERM, or with SIGKILL if that takes too long."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self._process.wait, STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def usage(self) -> Usage:
        """Return the usage of the program and its children; processes named postgres are counted separately."""
        cpu, memory = [0.0, 0.0], [0, 0]
        for pid in _family(self.pid):
            try:
                name, seconds = _stat(pid)
                which = int(name.startswith("postgres"))
                cpu[which] += seconds
                memory[which] += _proportional(pid) if which else _resident(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue
        return Usage(cpu[0], cpu[1], memory[0], memory[1])


def _environment() -> dict[str, str]:
    """Return our environment without settings of the service, so that no other database is written to."""
    return {
        name: value for name, value in os.environ.items() if name != "DATABASE_URL" and not name.startswith("RUNFOLD_")
    }


def runfold() -> list[str | Path]:
    """Return the command that runs `runfold`."""
    installed = Path(sys.executable).parent / "runfold"
    return [installed] if installed.exists() else [sys.executable, "-m", "service"]


def serve(data_dir: Path) -> list[str | Path]:
    """Return the arguments to serve on a free port, with an embedded PostgreSQL in data_dir."""
    return ["serve", "--port", "0", "--data-dir", data_dir]


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used so far."""
    return _stat(pid)[1]


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        yield from _family(int(child))


def _stat(pid: int) -> tuple[str, float]:
    """Return the name and CPU seconds of a process, including those of children that have ended."""
    text = Path(f"/proc/{pid}/stat").read_text()
    name = text[text.index("(") + 1 : text.rindex(")")]
    fields = text[text.rindex(")") + 2 :].split()
    return name, sum(map(int, fields[11:15])) / TICKS


def _resident(pid: int) -> int:
    return _kilobytes(Path(f"/proc/{pid}/status").read_text(), "VmRSS:")


def _proportional(pid: int) -> int:
    """Return the proportional set size: shared pages are divided among their users, so shared_buffers counts once."""
    try:
        return _kilobytes(Path(f"/proc/{pid}/smaps_rollup").read_text(), "Pss:")
    except PermissionError:
        return _resident(pid)


def _kilobytes(text: str, name: str) -> int:
    found = re.search(rf"^{name}\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0

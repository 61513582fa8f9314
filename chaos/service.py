"""Runs the real program, and starts it again after it has ended, as a supervisor would."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import aiohttp

from chaos import processes
from chaos.waiting import Violation, until

ROOT = Path(__file__).resolve().parents[1]
START_S = 60.0
STOP_S = 75.0
READY_S = 60.0
_IN_A_ROW = 4
"""Fresh connections that must all get 200 from /readyz: each may reach another worker."""

_REST_S = 0.5
_HELD = ("in use by another program", "is owned by process")


def environment() -> dict[str, str]:
    """Return our environment without settings of the service, so that no other database is written to."""
    return {
        name: value for name, value in os.environ.items() if name != "DATABASE_URL" and not name.startswith("RUNFOLD_")
    }


class Service:
    """`runfold serve` on one port, across restarts."""

    def __init__(self, arguments: Sequence[object], log: Path) -> None:
        """Take what follows `serve`, and the file that it logs to."""
        self._arguments = [str(argument) for argument in arguments]
        self._log = log
        self._process: Process | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process that was started."""
        assert self._process is not None  # noqa: S101  start() comes first
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything that the service has logged."""
        return self._log.read_text(errors="replace")

    def own(self) -> list[int]:
        """Return the service's processes, without PostgreSQL's."""
        return [pid for pid in processes.family(self.pid) if not processes.is_postgres(pid)]

    def workers(self) -> list[int]:
        """Return the processes that answer requests."""
        found = [pid for pid in self.own() if "service.server.workers" in processes.command_line(pid)]
        return found or [self.pid]

    def helpers(self) -> list[int]:
        """Return the processes that neither answer requests nor supervise workers, such as projectors."""
        known = {self.pid, *self.workers()}
        return [pid for pid in self.own() if pid not in known and "python" in processes.command_line(pid)]

    def is_alive(self) -> bool:
        """Return whether the process that was started still runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self, *, again: bool = False) -> None:
        """Start the service and wait until it is ready. With `again`, retry while its port or data are still held.

        Raises Violation if it does not start.
        """
        end = time.monotonic() + START_S
        while (error := await self._try_to_start()) is not None:
            if not again or time.monotonic() > end or not any(reason in error for reason in _HELD):
                raise Violation(f"the service did not start:\n{error}")
            await asyncio.sleep(_REST_S)
        await self.until_ready()

    async def _try_to_start(self) -> str | None:
        """Return None once the service has printed its address; if it ends instead, return the end of its log."""
        before = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "service", "serve", "--port", str(self.port), *self._arguments),
                cwd=ROOT,
                env=environment(),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=errors,
            )
        assert self._process.stdout is not None  # noqa: S101  it is a pipe
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), START_S)
        except TimeoutError:
            raise Violation(f"the service printed no address within {START_S:.0f} s:\n{self.log[-3000:]}") from None
        found = re.search(rb"http://\S+?:(\d+)", line)
        if found is None:
            await self._process.wait()
            return self._log.read_bytes()[before:].decode(errors="replace")[-3000:]
        self.port = int(found[1])
        return None

    async def until_ready(self, seconds: float = READY_S) -> None:
        """Wait until /readyz is 200 on several fresh connections in a row."""
        await until(self._is_ready, "/readyz is 200 again", seconds)

    async def is_unready(self) -> bool:
        """Return whether /readyz is not 200 on one of several connections."""
        return not await self._is_ready()

    async def _is_ready(self) -> bool:
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            for _ in range(_IN_A_ROW):
                async with (
                    aiohttp.ClientSession(timeout=timeout) as session,
                    session.get(f"{self.url}/readyz") as response,
                ):
                    if response.status != 200:
                        return False
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            return False
        return True

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._signal(signal.SIGKILL)

    async def ended(self, seconds: float) -> int:
        """Wait until it has ended; return its exit status."""
        assert self._process is not None  # noqa: S101  start() comes first
        try:
            return await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            raise Violation(f"the service did not end within {seconds:.0f} s:\n{self.log[-3000:]}") from None

    async def stop(self) -> None:
        """Stop it with SIGTERM. Raises Violation unless its exit status is 0."""
        self._signal(signal.SIGTERM)
        status = await self.ended(STOP_S)
        if status != 0:
            raise Violation(f"after SIGTERM the service ended with status {status}:\n{self.log[-3000:]}")

    async def close(self) -> None:
        """End all its processes, whatever state they are in."""
        if self._process is None or self._process.returncode is not None:
            return
        for pid in processes.family(self.pid):
            processes.send(pid, signal.SIGCONT)
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_S)
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            if self._process is not None and self._process.returncode is None:
                self._process.send_signal(number)

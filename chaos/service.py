"""The real program, started again after it was ended, as whatever supervises it would."""

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
"""Fresh connections that must all be told it is ready: each may meet another worker."""

_REST_S = 0.5
_HELD = ("in use by another program", "is owned by process")


def environment() -> dict[str, str]:
    """Return ours without any setting of the service: a DATABASE_URL would be written to."""
    return {
        name: value for name, value in os.environ.items() if name != "DATABASE_URL" and not name.startswith("RUNFOLD_")
    }


class Service:
    """`runfold serve` on one port, however often it is started."""

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
        """All that it logged."""
        return self._log.read_text(errors="replace")

    def own(self) -> list[int]:
        """Return its processes, PostgreSQL's apart."""
        return [pid for pid in processes.family(self.pid) if not processes.is_postgres(pid)]

    def workers(self) -> list[int]:
        """Return those that answer requests."""
        found = [pid for pid in self.own() if "service.server.workers" in processes.command_line(pid)]
        return found or [self.pid]

    def helpers(self) -> list[int]:
        """Return those that neither answer requests nor keep those that do."""
        known = {self.pid, *self.workers()}
        return [pid for pid in self.own() if pid not in known and "python" in processes.command_line(pid)]

    def is_alive(self) -> bool:
        """Tell whether what was started still runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self, *, again: bool = False) -> None:
        """Start it and wait until it answers. With `again`, start it once more while its port or data are still held.

        Raises Violation when it does not start.
        """
        end = time.monotonic() + START_S
        while (complaint := await self._try_to_start()) is not None:
            if not again or time.monotonic() > end or not any(reason in complaint for reason in _HELD):
                raise Violation(f"the service did not start:\n{complaint}")
            await asyncio.sleep(_REST_S)
        await self.until_ready()

    async def _try_to_start(self) -> str | None:
        """Return None once it says where it answers, else what it said when it ended."""
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
            raise Violation(f"the service said no address within {START_S:.0f} s:\n{self.log[-3000:]}") from None
        found = re.search(rb"http://\S+?:(\d+)", line)
        if found is None:
            await self._process.wait()
            return self._log.read_bytes()[before:].decode(errors="replace")[-3000:]
        self.port = int(found[1])
        return None

    async def until_ready(self, seconds: float = READY_S) -> None:
        """Wait until /readyz is 200 on several fresh connections in a row."""
        await until(self._is_ready, "/readyz is 200 again", seconds)

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
        """End it without a word."""
        self._signal(signal.SIGKILL)

    async def ended(self, seconds: float) -> int:
        """Wait until it has ended; return its status."""
        assert self._process is not None  # noqa: S101  start() comes first
        try:
            return await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            raise Violation(f"the service did not end within {seconds:.0f} s:\n{self.log[-3000:]}") from None

    async def stop(self) -> None:
        """End it gently. Raises Violation unless it leaves with 0."""
        self._signal(signal.SIGTERM)
        status = await self.ended(STOP_S)
        if status != 0:
            raise Violation(f"told to stop by SIGTERM, the service left with {status}:\n{self.log[-3000:]}")

    async def close(self) -> None:
        """See that nothing of it is left, whatever state it is in."""
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

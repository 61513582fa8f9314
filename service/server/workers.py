"""Worker processes that serve one port. They are restarted when they end, and do not outlive the parent.

The parent keeps every listening socket open: connections that arrive while a worker is replaced wait for the next one.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress

import uvloop

from service import logs
from service.os_process import python_command, terminate_with_parent
from service.server.serve import CLOSE_S, HealthCheck, ProcessLost, serve, wait_for_stop
from service.server.siblings import Link, ReportExchange, WorkerSiblings
from service.server.stop_signals import stop_requested
from service.settings import Settings, unpack

_READY = b"ready\n"

_RESTART_DELAY_S = 1.0
"""Seconds before a worker that ended is replaced, so that a persistent fault does not become a busy loop."""

_STOP_TIMEOUT_S = CLOSE_S + 10.0
"""Seconds after the drain until a worker that hangs is killed; others exit after CLOSE_S by themselves."""

_log = logging.getLogger(__name__)


async def supervise(
    settings: Settings, listeners: Sequence[socket.socket], *, ready: Callable[[], None], check: HealthCheck
) -> None:
    """Run one worker per listening socket until a stop signal; call `ready` when all of them answer.

    Raises ProcessLost when `check` returns a sentence, or when a worker ends before it was ready.
    """
    stop = stop_requested()
    exchange = ReportExchange(len(listeners))
    workers = [_Worker(settings, listener, stop, exchange) for listener in listeners]
    announcement = asyncio.create_task(_announce(workers, ready))
    try:
        await wait_for_stop(stop, lambda: check() or next(filter(None, (worker.problem for worker in workers)), None))
    finally:
        stop.set()
        announcement.cancel()
        for listener in listeners:
            listener.close()
        await asyncio.gather(announcement, *(worker.stop() for worker in workers), return_exceptions=True)


async def _announce(workers: Sequence["_Worker"], ready: Callable[[], None]) -> None:
    for worker in workers:
        await worker.started.wait()
    ready()


class _Worker:
    """A listening socket and the process that serves it, which is replaced when it ends."""

    def __init__(
        self, settings: Settings, listener: socket.socket, stop: asyncio.Event, exchange: ReportExchange
    ) -> None:
        self.started = asyncio.Event()
        self.failure: str | None = None
        self._settings = settings.pack()
        self._stop_timeout_s = settings.drain + _STOP_TIMEOUT_S
        self._listener = listener.fileno()
        self._stop = stop
        self._exchange = exchange
        self._process: Process | None = None
        self._supervision = asyncio.create_task(self._supervise())

    async def stop(self) -> None:
        """Send SIGTERM to the process and wait for it; kill it if it hangs."""
        self._signal(signal.SIGTERM)
        done, _ = await asyncio.wait([self._supervision], timeout=self._stop_timeout_s)
        if not done:
            _log.error("a worker did not stop within %.0f s and is killed", self._stop_timeout_s)
            self._signal(signal.SIGKILL)
        await self._supervision

    @property
    def problem(self) -> str | None:
        """Why the socket has no process, and gets none any more, as a sentence."""
        task = self._supervision
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            return f"A worker process is not supervised any more ({type(error).__name__})."
        return self.failure

    async def _supervise(self) -> None:
        while not self._stop.is_set():
            try:
                process, link = await self._start()
            except OSError as error:
                # The kernel has no memory, processes or files left. Clients wait at the socket until it has.
                if not self.started.is_set():
                    self.failure = f"A worker process cannot be started: {error}."
                    return
                _log.error("a worker cannot be started, which is tried again: %s", error)
                await self._pause()
                continue
            if self._stop.is_set():
                self._signal(signal.SIGTERM)
            status = await self._wait(process)
            await self._exchange.detach(link, replaced=self.started.is_set() and not self._stop.is_set())
            if self._stop.is_set():
                return
            if not self.started.is_set():
                self.failure = f"A worker process ended with {status} before it was ready."
                return
            _log.error("worker %d ended with %d and is replaced", process.pid, status)
            await self._pause()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), _RESTART_DELAY_S)

    async def _start(self) -> tuple[Process, Link]:
        """Start a process, and return it with the connection for its reports. Raises OSError where that fails."""
        ours, theirs = socket.socketpair()
        with theirs:
            link = await self._exchange.attach(ours)
            try:
                self._process = process = await self._start_process(theirs)
            except BaseException:
                theirs.close()
                await self._exchange.detach(link, replaced=False)
                raise
        return process, link

    async def _start_process(self, siblings: socket.socket) -> Process:
        inherited = (self._listener, siblings.fileno())
        process = await asyncio.create_subprocess_exec(
            *python_command("service.server.workers", *map(str, inherited), str(os.getpid())),
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=inherited,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then stops the workers
        )
        with suppress(ConnectionError):
            process.stdin.write(self._settings)  # type: ignore[union-attr]
            process.stdin.write_eof()  # type: ignore[union-attr]
        return process

    async def _wait(self, process: Process) -> int:
        if await process.stdout.readline() == _READY:  # type: ignore[union-attr]
            self.started.set()
        return await process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)


async def _serve(settings: Settings, listener: socket.socket, siblings: socket.socket, check: HealthCheck) -> None:
    await serve(settings, listener, ready=_report_ready, check=check, siblings=WorkerSiblings(siblings))


def _report_ready() -> None:
    os.write(1, _READY)


def main(listener: int, siblings: int, parent: int) -> None:
    """Run a worker: serve an inherited socket with the settings from standard input; report metrics over the other."""
    terminate_with_parent(parent)
    for inherited in (listener, siblings):
        os.set_inheritable(inherited, False)  # noqa: FBT003  it takes no keyword; the projector process must not inherit them
    settings = unpack(sys.stdin.buffer.read())
    logs.set_up(settings.log_level, settings.log_format)

    def check() -> str | None:
        return None if os.getppid() == parent else "The parent process has ended."

    try:
        uvloop.run(_serve(settings, socket.socket(fileno=listener), socket.socket(fileno=siblings), check))
    except ProcessLost as lost:
        _log.error("%s", lost)
        sys.exit(1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

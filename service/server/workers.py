"""Several processes that serve one port, started again when they die, ended with the parent.

The parent holds every listening socket: connections that come while a worker is replaced wait for the next.
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
from service.server.serve import CLOSE_S, HealthCheck, ProcessLost, serve, stop_requested, wait_for_stop
from service.settings import Settings, unpack

_READY = b"ready\n"

_REST_S = 1.0
"""Seconds before a worker that died is followed by another, so that a fault does not become a busy loop."""

_PATIENCE_S = CLOSE_S + 10.0
"""Seconds a worker is given to stop; it gives up by itself before that, unless it hangs."""

_log = logging.getLogger(__name__)


async def supervise(
    settings: Settings, listeners: Sequence[socket.socket], *, ready: Callable[[], None], look: HealthCheck
) -> None:
    """Keep one worker a listening socket, calling `ready` when all answer, until a signal.

    Raises Lost when `look` says so, or when a worker ends before it was ever ready.
    """
    asked = stop_requested()
    workers = [_Worker(settings, listener, asked) for listener in listeners]
    announcing = asyncio.create_task(_announce(workers, ready))
    try:
        await wait_for_stop(asked, lambda: look() or next((w.failed for w in workers if w.failed), None))
    finally:
        asked.set()
        announcing.cancel()
        for listener in listeners:
            listener.close()
        await asyncio.gather(announcing, *(worker.stop() for worker in workers), return_exceptions=True)


async def _announce(workers: Sequence["_Worker"], ready: Callable[[], None]) -> None:
    for worker in workers:
        await worker.started.wait()
    ready()


class _Worker:
    """A listening socket and the process that serves it, one after the other."""

    def __init__(self, settings: Settings, listener: socket.socket, asked: asyncio.Event) -> None:
        self.started = asyncio.Event()
        self.failed: str | None = None
        self._settings = settings.pack()
        self._listener = listener.fileno()
        self._asked = asked
        self._process: Process | None = None
        self._keeping = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Tell the process to stop and wait; one that hangs is killed."""
        self._signal(signal.SIGTERM)
        done, _ = await asyncio.wait([self._keeping], timeout=_PATIENCE_S)
        if not done:
            _log.error("a worker did not stop within %.0f s and is killed", _PATIENCE_S)
            self._signal(signal.SIGKILL)
        await self._keeping

    async def _keep(self) -> None:
        while not self._asked.is_set():
            self._process = process = await self._start()
            if self._asked.is_set():
                self._signal(signal.SIGTERM)
            status = await self._live(process)
            if self._asked.is_set():
                return
            if not self.started.is_set():
                self.failed = f"A worker process ended with {status} before it was ready."
                return
            _log.error("worker %d ended with %d; another one follows", process.pid, status)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), _REST_S)

    async def _start(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            *python_command("service.server.workers", str(self._listener), str(os.getpid())),
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=[self._listener],
            start_new_session=True,  # Ctrl-C reaches the parent alone, who passes it on
        )
        with suppress(ConnectionError):
            process.stdin.write(self._settings)  # type: ignore[union-attr]
            process.stdin.write_eof()  # type: ignore[union-attr]
        return process

    async def _live(self, process: Process) -> int:
        if await process.stdout.readline() == _READY:  # type: ignore[union-attr]
            self.started.set()
        return await process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)


def _say_ready() -> None:
    os.write(1, _READY)


def main(listener: int, parent: int) -> None:
    """Be a worker: serve the inherited socket with the settings that come on stdin."""
    terminate_with_parent(parent)
    os.set_inheritable(listener, False)  # noqa: FBT003  it takes no keyword; the folding process is not to hold the port
    settings = unpack(sys.stdin.buffer.read())
    logs.set_up(settings.log_level)

    def look() -> str | None:
        return None if os.getppid() == parent else "The parent process has ended."

    try:
        uvloop.run(serve(settings, socket.socket(fileno=listener), ready=_say_ready, look=look))
    except ProcessLost as lost:
        _log.error("%s", lost)
        sys.exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

"""Projects the catalog in a child process, so that requests do not share the event loop and the interpreter with it.

The serving process writes lines to the child's standard input: its settings first, then prioritized and appended
positions. The child writes the positions up to which the catalog is projected. A child that dies is replaced; a child
ends with its parent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import deque
from contextlib import suppress

import uvloop

from service import logs, trace_context, tracing
from service.catalog.projector import OnProgress, Projector, ProjectorStatus
from service.database.connections import Connections
from service.domain.registers import FACET_LIMITS
from service.os_process import configure_gc, python_command, terminate_with_parent, use_batch_scheduling
from service.settings import Settings, unpack
from service.trace_context import TraceContext

CONNECTIONS_OF_PROJECTOR = 2
"""One reads the next page while the other writes the current one."""

_STATEMENT_TIMEOUT_S = 60.0
"""Longest time of a statement of the projector: a page that times out would be started again and never finish."""

_COALESCE_S = 0.02
"""Appended positions are sent together after this time: no reader waits for them, and each line wakes the child."""

_RESTART_DELAY_S, _MAX_RESTART_DELAY_S = 1.0, 10.0
"""Seconds between the end of a child and the start of the next one; the longer one while children fail."""

_FAILING_ENDS, _FAILING_S = 3, 60.0
"""This many ends of children within this time mean that the projector does not work."""

_CLOSE_S = 5.0

_PRIORITIZED, _APPENDED, _FORGET, _LINK = b"p", b"a", b"f", b"l"
"""First byte of a line that the parent writes; a position follows, and after _LINK a space and a span."""

_MAX_WAITING_BYTES = 64 * 1024
"""Spans are not sent to a child that has left this much unread."""

_log = logging.getLogger(__name__)


class ProjectorProcess:
    """The parent's side: a CatalogProjector that passes positions on to a child process."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings that the child receives."""
        self._settings = settings.pack()
        self._prioritized = 0
        self._appended = 0
        self._forgetting = False
        """Whether the child was sent _FORGET and has not reported position 0 yet: its reports are older than that."""
        self._timer: asyncio.TimerHandle | None = None
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._ends: deque[float] = deque(maxlen=_FAILING_ENDS)
        self._last_end = ""
        self._restarts = 0

    def start(self, on_progress: OnProgress) -> None:
        """Start a child, and replace it whenever it ends."""
        self._task = asyncio.create_task(self._supervise(on_progress), name="projector process")

    async def close(self) -> None:
        """End the child: by closing its standard input, or by killing it after a timeout."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._end()

    def prioritize(self, position: int) -> None:
        """Let the child project up to a position at once."""
        if position > self._prioritized:
            self._prioritized = position
            self._send(_PRIORITIZED, position)

    def notify_appended(self, position: int) -> None:
        """Report appended events to the child, together with those that follow within a short time."""
        self._appended = max(self._appended, position)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_COALESCE_S, self._send_appended)

    def link(self, position: int, batch: TraceContext) -> None:
        """Send the span of a batch to the child."""
        pipe = self._process.stdin if self._process is not None else None
        if pipe is not None and not pipe.is_closing() and pipe.transport.get_write_buffer_size() < _MAX_WAITING_BYTES:
            pipe.write(b"%b%d %b\n" % (_LINK, position, str(batch).encode()))

    def forget_positions(self) -> None:
        """Let the child forget all positions, and ignore what it reports before it has done so."""
        self._prioritized = self._appended = 0
        self._forgetting = self._process is not None and self._process.returncode is None
        self._send(_FORGET, 0)

    def _send_appended(self) -> None:
        self._timer = None
        self._send(_APPENDED, self._appended)

    def _send(self, command: bytes, position: int) -> None:
        """Write a line to the child, if there is one now; a child receives the current positions when it starts."""
        pipe = self._process.stdin if self._process is not None else None
        if pipe is not None and not pipe.is_closing():
            pipe.write(b"%b%d\n" % (command, position))

    def status(self) -> ProjectorStatus:
        """Return whether children stay alive, and how many were started in place of one that ended."""
        if self._task is None or self._task.done():
            return ProjectorStatus("it is not supervised", self._restarts)
        problem = f"its process ends again and again; last, {self._last_end}" if self._is_failing() else None
        return ProjectorStatus(problem, self._restarts)

    def _is_failing(self) -> bool:
        return len(self._ends) == _FAILING_ENDS and time.monotonic() - self._ends[0] < _FAILING_S

    async def _supervise(self, on_progress: OnProgress) -> None:
        while True:
            try:
                self._process = process = await _start(self._settings)
                self._forgetting = False
                self._send(_PRIORITIZED, self._prioritized)
                self._send(_APPENDED, self._appended)
                async for line in process.stdout:  # type: ignore[union-attr]  # it is piped
                    position = int(line)
                    self._forgetting = self._forgetting and position > 0
                    if not self._forgetting:
                        on_progress(position)
                status = await process.wait()
                self._last_end = f"with status {status}"
                _log.error("the projector process ended with status %d and is restarted", status)
            except OSError as error:
                self._last_end = f"it could not be started ({type(error).__name__})"
                _log.error("the projector process cannot be started: %s", error)
            except Exception as error:  # noqa: BLE001  any failure of a child must end in a new child
                self._last_end = f"it failed ({type(error).__name__})"
                _log.exception("the projector process failed and is replaced")
                await self._end()
            self._ends.append(time.monotonic())
            self._restarts += 1
            failing = self._is_failing()
            if failing:
                _log.error(
                    "the projector process ended %d times within %.0f s, %d times since the start of the service:"
                    " lists lag until it works",
                    _FAILING_ENDS,
                    _FAILING_S,
                    self._restarts,
                )
            await asyncio.sleep(_MAX_RESTART_DELAY_S if failing else _RESTART_DELAY_S)

    async def _end(self) -> None:
        if self._process is not None:
            await _end(self._process)


def projector_connections(settings: Settings) -> Connections:
    """Return the connections that a Projector works with."""
    return Connections(
        settings.database_url,
        CONNECTIONS_OF_PROJECTOR,
        statement_cache_size=settings.statement_cache_size,
        limit_idle_transactions=True,
        command_timeout_s=_STATEMENT_TIMEOUT_S,
    )


async def _start(settings: bytes) -> Process:
    process = await asyncio.create_subprocess_exec(
        *python_command("service.catalog.projector_process", str(os.getpid())),
        stdin=PIPE,
        stdout=PIPE,
        start_new_session=True,  # Ctrl-C reaches only the serving process, which ends this one
    )
    process.stdin.write(settings + b"\n")  # type: ignore[union-attr]  # it is piped
    return process


async def _end(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _CLOSE_S)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _run_projector(report: OnProgress) -> None:
    """Project as the child process, until standard input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    settings = unpack(await reader.readline())
    logs.set_up(settings.log_level, settings.log_format)
    FACET_LIMITS.set(settings.max_facets, settings.max_facets_bytes)
    configure_gc()
    connections = projector_connections(settings)
    recording = tracing.start()
    projector = Projector(connections, recording)
    projector.start(report)
    async for line in reader:
        number, _, span = line[1:].partition(b" ")
        position = int(number)
        if line.startswith(_LINK):
            if (batch := trace_context.parse(span.decode().strip())) is not None:
                projector.link(position, batch)
        elif line.startswith(_PRIORITIZED):
            projector.prioritize(position)
        elif line.startswith(_FORGET):
            projector.forget_positions()
        else:
            projector.notify_appended(position)
    await projector.close()
    await connections.close()
    if recording is not None:
        recording.stop()


def main(parent: int) -> None:
    """Run the child of the process `parent`."""
    # SIGTERM to a whole process group is meant for the parent, which answers requests for a while longer and needs this
    # process to do so.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    terminate_with_parent(parent, signal.SIGKILL)
    use_batch_scheduling()
    uvloop.run(_run_projector(_report_to(os.dup(1))))


def _report_to(parent: int) -> OnProgress:
    """Return a function that writes positions to the parent's pipe; anything else that is printed goes to stderr."""
    os.dup2(2, 1)

    def report(position: int) -> None:
        os.write(parent, b"%d\n" % position)

    return report


if __name__ == "__main__":
    main(int(sys.argv[1]))

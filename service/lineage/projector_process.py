"""Projects the ledger in a child process, so that requests do not share the event loop and the interpreter with it.

The child runs two projectors, of the catalog and of datasets and lineage. A page of lineage waits for a limited time
while somebody waits for the catalog and nobody for lineage. The serving process writes lines to the child's standard
input: its settings first, then prioritized and appended positions. The child writes the positions up to which each of
them has projected. A child that dies is replaced; a child ends with its parent.
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
from collections.abc import Mapping
from contextlib import suppress

import uvloop

from service import logs, trace_context, tracing
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.projector import Projector
from service.catalog.projector_interface import CatalogProjector, OnProgress, ProjectorStatus
from service.database.connections import Connections
from service.database.outages import DatabaseState
from service.domain.registers import FACET_LIMITS
from service.lineage.pages import LineageProjection
from service.os_process import configure_gc, python_command, terminate_with_parent, use_batch_scheduling
from service.settings import Settings, unpack
from service.trace_context import TraceContext

CONNECTIONS_OF_PROJECTOR = 2
"""Of each projector: one reads the next page while the other writes the current one."""

PROJECTORS = 2
"""Of the catalog, and of datasets and lineage."""

_STATEMENT_TIMEOUT_S = 60.0
"""Longest time of a statement of the projector: a page that times out would be started again and never finish."""

_COALESCE_S = 0.02
"""Appended positions are sent together after this time: no reader waits for them, and each line wakes the child."""

_RESTART_DELAY_S, _MAX_RESTART_DELAY_S = 1.0, 10.0
"""Seconds between the end of a child and the start of the next one; the longer one while children fail."""

_FAILING_ENDS, _FAILING_S = 3, 60.0
"""This many ends of children within this time mean that the projector does not work."""

_CLOSE_S = 5.0

_CATALOG, _LINEAGE = b"c", b"l"
"""First byte of a line of either process: which projector it is about."""

_PRIORITIZED, _APPENDED, _FORGET, _LINK, _PACE = b"p", b"a", b"f", b"s", b"w"
"""Second byte of a line that the parent writes. A position follows, and after _LINK a space and a span; after _PACE, 1
(slow) or 0. Both projectors are told what was appended."""

_MAX_WAITING_BYTES = 64 * 1024
"""Spans are not sent to a child that has left this much unread."""

_log = logging.getLogger(__name__)


class ProjectorChannel:
    """The parent's side of one of the projectors: a CatalogProjector that passes positions on to the child process."""

    def __init__(self, process: ProjectorProcess, projector: bytes) -> None:
        """Take the process, and which of its projectors this is."""
        self._process = process
        self._projector = projector
        self._on_progress: OnProgress | None = None
        self._prioritized = 0
        self._slow = False
        self._forgetting = False
        """Whether the child was sent _FORGET and has not reported position 0 yet: its reports are older than that."""

    def start(self, on_progress: OnProgress) -> None:
        """Start the child, if it was not started yet."""
        self._on_progress = on_progress
        self._process.start()

    async def close(self) -> None:
        """End the child, with both projectors."""
        await self._process.close()

    def prioritize(self, position: int) -> None:
        """Let the child project up to a position at once."""
        if position > self._prioritized:
            self._prioritized = position
            self._process.send(self._projector + _PRIORITIZED, position)

    def notify_appended(self, position: int) -> None:
        """Report appended events to the child, together with those that follow within a short time."""
        self._process.notify_appended(position)

    def link(self, position: int, batch: TraceContext) -> None:
        """Send the span of a batch to the child."""
        self._process.send_span(self._projector + _LINK, position, batch)

    def forget_positions(self) -> None:
        """Let the child forget all positions, and ignore what it reports before it has done so."""
        self._prioritized = 0
        self._forgetting = self._process.is_running
        self._process.forget_appended()
        self._process.send(self._projector + _FORGET, 0)

    def pace(self, *, slow: bool) -> None:
        """Have the child project slowly, or as fast as possible again."""
        self._slow = slow
        self._process.send(self._projector + _PACE, slow)

    def status(self) -> ProjectorStatus:
        """Return whether children stay alive, and how many were started in place of one that ended."""
        return self._process.status()

    def child_started(self) -> None:
        """Tell a new child what it has to know."""
        self._forgetting = False
        self._process.send(self._projector + _PRIORITIZED, self._prioritized)
        self._process.send(self._projector + _PACE, self._slow)

    def child_reports(self, position: int) -> None:
        """Pass on how far the child has projected."""
        self._forgetting = self._forgetting and position > 0
        if not self._forgetting and self._on_progress is not None:
            self._on_progress(position)


class ProjectorProcess:
    """The parent's side: starts a child, and replaces it whenever it ends."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings that the child receives."""
        self._settings = settings.pack()
        self.catalog = ProjectorChannel(self, _CATALOG)
        self.lineage = ProjectorChannel(self, _LINEAGE)
        self._channels = {_CATALOG: self.catalog, _LINEAGE: self.lineage}
        self._appended = 0
        self._timer: asyncio.TimerHandle | None = None
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._ends: deque[float] = deque(maxlen=_FAILING_ENDS)
        self._last_end = ""
        self._restarts = 0

    def start(self) -> None:
        """Start a child, and replace it whenever it ends."""
        if self._task is None:
            self._task = asyncio.create_task(self._supervise(), name="projector process")

    async def close(self) -> None:
        """End the child: by closing its standard input, or by killing it after a timeout."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._end()

    @property
    def is_running(self) -> bool:
        """Whether there is a child that has not ended."""
        return self._process is not None and self._process.returncode is None

    def notify_appended(self, position: int) -> None:
        """Report appended events to the child, together with those that follow within a short time."""
        self._appended = max(self._appended, position)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_COALESCE_S, self._send_appended)

    def forget_appended(self) -> None:
        """Forget the position up to which events were appended."""
        self._appended = 0

    def _send_appended(self) -> None:
        self._timer = None
        self.send(_CATALOG + _APPENDED, self._appended)

    def send(self, command: bytes, position: int) -> None:
        """Write a line to the child, if there is one now; a new child is told the current positions and its pace."""
        pipe = self._process.stdin if self._process is not None else None
        if pipe is not None and not pipe.is_closing():
            pipe.write(b"%b%d\n" % (command, position))

    def send_span(self, command: bytes, position: int, batch: TraceContext) -> None:
        """Write a line with a span to the child, unless it has left too much unread."""
        pipe = self._process.stdin if self._process is not None else None
        if pipe is not None and not pipe.is_closing() and pipe.transport.get_write_buffer_size() < _MAX_WAITING_BYTES:
            pipe.write(b"%b%d %b\n" % (command, position, str(batch).encode()))

    def status(self) -> ProjectorStatus:
        """Return whether children stay alive, and how many were started in place of one that ended."""
        if self._task is None or self._task.done():
            return ProjectorStatus("it is not supervised", self._restarts)
        problem = f"its process ends again and again; last, {self._last_end}" if self._is_failing() else None
        return ProjectorStatus(problem, self._restarts)

    def _is_failing(self) -> bool:
        return len(self._ends) == _FAILING_ENDS and time.monotonic() - self._ends[0] < _FAILING_S

    async def _supervise(self) -> None:
        while True:
            try:
                self._process = process = await _start(self._settings)
                for channel in self._channels.values():
                    channel.child_started()
                self.send(_CATALOG + _APPENDED, self._appended)
                async for line in process.stdout:  # type: ignore[union-attr]  # it is piped
                    self._channels[line[:1]].child_reports(int(line[1:]))
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


def projector_connections(settings: Settings, state: DatabaseState) -> Connections:
    """Return the connections that a projector works with; projectors of one process share `state`."""
    return Connections(
        settings.database_url,
        CONNECTIONS_OF_PROJECTOR,
        statement_cache_size=settings.statement_cache_size,
        limit_idle_transactions=True,
        command_timeout_s=_STATEMENT_TIMEOUT_S,
        state=state,
    )


async def _start(settings: bytes) -> Process:
    process = await asyncio.create_subprocess_exec(
        *python_command("service.lineage.projector_process", str(os.getpid())),
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


async def _run_projectors(reports: dict[bytes, OnProgress]) -> None:
    """Project as the child process, until standard input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    settings = unpack(await reader.readline())
    logs.set_up(settings.log_level, settings.log_format)
    FACET_LIMITS.set(settings.max_facets, settings.max_facets_bytes)
    configure_gc()
    recording = tracing.start()
    state = DatabaseState()
    pools = {name: projector_connections(settings, state) for name in reports}
    catalog = Projector(CatalogProjection(pools[_CATALOG]), recording)
    lineage = Projector(LineageProjection(pools[_LINEAGE]), gives_way_to=catalog)
    projectors: dict[bytes, CatalogProjector] = {_CATALOG: catalog, _LINEAGE: lineage}
    for name, projector in projectors.items():
        projector.start(reports[name])
    async for line in reader:
        _obey(projectors, line)
    for projector in projectors.values():
        await projector.close()
    for connections in pools.values():
        await connections.close()
    if recording is not None:
        recording.stop()


def _obey(projectors: Mapping[bytes, CatalogProjector], line: bytes) -> None:
    """Do what a line of the parent says."""
    projector, command = projectors[line[:1]], line[1:2]
    number, _, span = line[2:].partition(b" ")
    position = int(number)
    if command == _LINK:
        if (batch := trace_context.parse(span.decode().strip())) is not None:
            projector.link(position, batch)
    elif command == _PRIORITIZED:
        projector.prioritize(position)
    elif command == _PACE:
        projector.pace(slow=bool(position))
    elif command == _FORGET:
        projector.forget_positions()
    else:
        for each in projectors.values():
            each.notify_appended(position)


def main(parent: int) -> None:
    """Run the child of the process `parent`."""
    # SIGTERM to a whole process group is meant for the parent, which answers requests for a while longer and needs this
    # process to do so.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    terminate_with_parent(parent, signal.SIGKILL)
    use_batch_scheduling()
    pipe = os.dup(1)
    os.dup2(2, 1)  # anything else that is printed goes to stderr
    uvloop.run(_run_projectors({name: _report_to(pipe, name) for name in (_CATALOG, _LINEAGE)}))


def _report_to(pipe: int, projector: bytes) -> OnProgress:
    """Return a function that writes the positions of a projector to the parent's pipe."""

    def report(position: int) -> None:
        os.write(pipe, b"%b%d\n" % (projector, position))

    return report


if __name__ == "__main__":
    main(int(sys.argv[1]))

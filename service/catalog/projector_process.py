"""Folding in a process of its own: it takes neither the event loop's time nor the interpreter's from requests.

The serving process writes lines to the child's standard input: its settings, then `wanted` and `appended` positions.
The child writes the positions it has reached. A child that dies is followed by another; it ends with its parent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress

import uvloop

from service import logs
from service.catalog.projector import OnProgress, Projector
from service.database.connections import Connections
from service.os_process import configure_gc, python_command, terminate_with_parent, use_batch_scheduling
from service.settings import Settings, unpack

CONNECTIONS_OF_PROJECTOR = 2
"""One to read the next page with, while the other writes the one before."""

_LONG_S = 60.0
"""Seconds a statement of folding may take: a page must not be given up and begun again for ever."""

_TELL_S = 0.02
"""Seconds that appended positions wait to be told: nobody waits for them, and each telling wakes the child."""

_REST_S = 1.0
"""Seconds before a child that died is followed by another."""

_CLOSE_S = 5.0

_WANTED, _APPENDED = b"w", b"a"

_log = logging.getLogger(__name__)


class ProjectorProcess:
    """The parent's end: the same as a Folder."""

    def __init__(self, settings: Settings) -> None:
        """Take what the child is told."""
        self._settings = settings.pack()
        self._wanted = 0
        self._appended = 0
        self._timer: asyncio.TimerHandle | None = None
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, reached: OnProgress) -> None:
        """Start the child and keep one."""
        self._task = asyncio.create_task(self._keep(reached), name="folding process")

    async def close(self) -> None:
        """End the child: by the end of its standard input, or else by force."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._end()

    def want(self, position: int) -> None:
        """Pass on that somebody waits."""
        if position > self._wanted:
            self._wanted = position
            self._say(_WANTED, position)

    def appended(self, position: int) -> None:
        """Pass on, a little later and together with what comes until then, that events were appended."""
        self._appended = max(self._appended, position)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TELL_S, self._tell)

    def _tell(self) -> None:
        self._timer = None
        self._say(_APPENDED, self._appended)

    def _say(self, what: bytes, position: int) -> None:
        """Write a line, unless there is no child just now: the next one is told when it starts."""
        pipe = self._process.stdin if self._process is not None else None
        if pipe is not None and not pipe.is_closing():
            pipe.write(b"%b%d\n" % (what, position))

    async def _keep(self, reached: OnProgress) -> None:
        while True:
            try:
                self._process = process = await _start(self._settings)
                self._say(_WANTED, self._wanted)
                self._say(_APPENDED, self._appended)
                async for line in process.stdout:  # type: ignore[union-attr]  # it is piped
                    reached(int(line))
                _log.error("the folding process ended with %d; another one follows", await process.wait())
            except OSError as error:
                _log.error("no folding process can be started: %s", error)
            except Exception:  # noqa: BLE001  whatever a child says or does, there must be one
                _log.exception("the folding process cannot be followed; another one takes its place")
                await self._end()
            await asyncio.sleep(_REST_S)

    async def _end(self) -> None:
        if self._process is not None:
            await _end(self._process)


def projector_connections(settings: Settings) -> Connections:
    """Return the connections that a Folder works with."""
    return Connections(
        settings.database_url,
        CONNECTIONS_OF_PROJECTOR,
        statement_cache_size=settings.statement_cache_size,
        limit_idle_transactions=True,
        command_timeout_s=_LONG_S,
    )


async def _start(settings: bytes) -> Process:
    process = await asyncio.create_subprocess_exec(
        *python_command("service.catalog.projector_process", str(os.getpid())),
        stdin=PIPE,
        stdout=PIPE,
        start_new_session=True,  # Ctrl-C reaches the serving process alone, which ends this one
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


async def _fold(report: OnProgress) -> None:
    """Be the child until standard input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    settings = unpack(await reader.readline())
    logs.set_up(settings.log_level)
    configure_gc()
    connections = projector_connections(settings)
    folder = Projector(connections)
    folder.start(report)
    async for line in reader:
        (folder.want if line.startswith(_WANTED) else folder.appended)(int(line[1:]))
    await folder.close()
    await connections.close()


def main(parent: int) -> None:
    """Fold for a parent."""
    # Whoever stops a whole group of processes means the parent, who goes on answering for a while and needs this one.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    terminate_with_parent(parent, signal.SIGKILL)
    use_batch_scheduling()
    uvloop.run(_fold(_report_to(os.dup(1))))


def _report_to(parent: int) -> OnProgress:
    """Return what tells the parent; whatever else is printed goes where errors go."""
    os.dup2(2, 1)

    def report(position: int) -> None:
        os.write(parent, b"%d\n" % position)

    return report


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""Disconnects clients that do not read their answers, which are in the memory of this process until they do.

Writing to a client waits while its transport has more than it may hold. A whole answer can have 8 MiB or more, and the
transport has all of it then. So a wait ends: when the client has taken nothing for STALLED_S, or not enough within
DEADLINE_S, or when all that wait hold too much, which ends those that have waited longest. Nothing is measured while
clients read as quickly as the service writes.
"""

from __future__ import annotations

import asyncio
import logging
import sys

STALLED_S = 60.0
"""Seconds in which a client must take something. The kernel has megabytes on the way, so that less than 50 KiB a second
may look like nothing for so long."""

DEADLINE_S = 300.0
"""Seconds after which a client must have taken so much that more can be written."""

LIMIT_BYTES = 64 * 1024 * 1024
"""Bytes that all connections may hold for longer than a look takes."""

LOOK_S = 5.0
"""Seconds between two looks at the connections whose clients are waited for."""

_log = logging.getLogger(__name__)


class _Wait:
    """How a client takes what was written."""

    __slots__ = ("begun", "moved", "size")

    def __init__(self, now: float) -> None:
        self.begun = self.moved = now
        self.size = sys.maxsize


class UnreadAnswers:
    """The connections of a server whose clients are waited for, in the order in which the waits began."""

    def __init__(self) -> None:
        """Begin without any."""
        self._waits: dict[asyncio.WriteTransport, _Wait] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, transport: asyncio.WriteTransport) -> None:
        """Begin a wait."""
        loop = asyncio.get_running_loop()
        self._waits[transport] = _Wait(loop.time())
        if self._timer is None:
            self._timer = loop.call_later(LOOK_S, self._look)

    def remove(self, transport: asyncio.WriteTransport) -> None:
        """End a wait, if there is one: the client has taken enough, or is gone."""
        self._waits.pop(transport, None)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now, ended = loop.time(), 0
        sizes = [(transport, transport.get_write_buffer_size()) for transport in self._waits]
        total = sum(size for _, size in sizes)
        for transport, size in sizes:
            wait = self._waits[transport]
            in_excess = total > LIMIT_BYTES and wait.size < sys.maxsize  # not at the first look
            if size < wait.size:
                wait.size, wait.moved = size, now
            if in_excess or now - wait.moved >= STALLED_S or now - wait.begun >= DEADLINE_S:
                total -= size
                ended += 1
                del self._waits[transport]
                transport.abort()
        if ended:
            _log.info("disconnected %d clients that do not read", ended)
        self._timer = loop.call_later(LOOK_S, self._look) if self._waits else None

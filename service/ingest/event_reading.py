"""Reads an OpenLineage event that was sent: a large one in a thread, so that other requests are answered meanwhile."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from service.domain.draft import Draft
from service.payloads.event_slices import LeftOut
from service.payloads.openlineage import Origin, read_lineage_event

_LARGE_BYTES = 256 * 1024
"""Bytes that take some milliseconds to read, at most."""

_READER = ThreadPoolExecutor(1, "large events")
"""One thread: reading an event takes several times its bytes, and two at once would not be quicker."""


async def read_event(body: bytes, origin: Origin, now: datetime, left_out: LeftOut | None = None) -> Draft:
    """Return the draft of an event, as read_lineage_event does. Raises Malformed, Invalid, OutsideNamespaces."""
    if len(body) <= _LARGE_BYTES:
        return read_lineage_event(body, origin, now, left_out)
    of_this: LeftOut = LeftOut()  # counted here: the other one is not for several threads
    try:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_READER, read_lineage_event, body, origin, now, of_this)
    finally:
        if left_out is not None:
            left_out.update(of_this)

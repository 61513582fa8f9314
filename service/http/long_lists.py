"""Writes lists of views that may be large: bounded in bytes, and with turns for other requests in between."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orjson import Fragment

from service.catalog.batches import Pauses
from service.payloads.json_writer import dump

MAX_LIST_BYTES = 32 * 1024 * 1024
"""Bytes of an answer after which a list ends."""


async def list_fragment(views: Iterable[dict[str, Any]], max_bytes: int | None = MAX_LIST_BYTES) -> Fragment:
    """Return views as a JSON array: as many as fit, and at least one. Each is made only when it is written.

    `max_bytes`: None where a page must be whole, because a cursor continues behind it.
    """
    pauses = Pauses()
    parts: list[bytes] = []
    size = 0
    for view in views:
        part = dump(view)
        size += len(part)
        if parts and max_bytes is not None and size > max_bytes:
            break
        parts.append(part)
        await pauses.pause()
    return Fragment(b"[%b]" % b",".join(parts))

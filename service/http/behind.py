"""The header Runfold-Behind: answers of graphs, searches and statistics that lack the events recorded last.

Datasets and lineage are projected after they are recorded. While more is recorded than is projected, nobody could be
answered who waits until all is there. So graphs, searches and statistics are answered with what there is, after a
while, and say how much they lack; lists of what callers define themselves wait longer, and are answered whole or not
at all (docs/decisions/0046-answers-that-are-behind.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from service.errors import NotFound, Unavailable
from service.http.fast_path import BEHIND
from service.http.parameters import STALE
from service.http.permissions import binding_of
from service.http.resources import RESOURCES
from service.http.route import parameters_of

BEHIND_HEADER = {
    str(BEHIND): "How many events that were recorded before the request the answer lacks, because they are not "
    "projected into datasets and lineage yet; `some` for an API key that is bound to namespaces. Absent where it lacks "
    "none, and with `stale=true`."
}
"""The description of the header, by its name."""


async def events_behind(request: web.Request) -> str:
    """Wait for events that were recorded before a request, unless parameter `stale` is true.

    Returns how many of them datasets and lineage lack then, as the header has it; empty where they lack none. Raises
    Unavailable where the catalog does not catch up in time.
    """
    if parameters_of(request)[STALE]:
        return ""
    resources = request.app[RESOURCES]
    _, behind = await asyncio.gather(resources.catalog.wait_until_current(), resources.lineage.wait_or_count())
    if not behind:
        return ""
    return str(behind) if binding_of(request) is None else "some"  # the number would tell what others record


@contextmanager
def looking_in(behind: str) -> Iterator[None]:
    """Raise Unavailable in place of NotFound within the block, where missing events may name what is sought."""
    try:
        yield
    except NotFound as error:
        if not behind:
            raise
        raise Unavailable(f"{error.detail} But {behind} events are not projected yet; repeat the request") from error

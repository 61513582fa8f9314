"""Writes lists of versions, each with the run that made it.

Runs may be large, and one may have made many versions. So a list has what is small of them, and they are read a few at
a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar
from uuid import UUID

from aiohttp import web
from orjson import Fragment

from service.catalog.batches import Pauses
from service.http.long_lists import MAX_LIST_BYTES
from service.http.permissions import binding_of, visible
from service.http.resources import RESOURCES
from service.http.views import abridged, run_view
from service.payloads.json_writer import dump

MAX_RUN_BYTES = 16 * 1024
"""Bytes of a run in a list of versions, above which it is there without its facets and datasets."""

_VERSIONS_AT_ONCE = 50
"""Versions whose runs are read at once."""


class Version(Protocol):
    """A version of a dataset or job. `run`: the run that made it, if one did."""

    @property
    def run(self) -> UUID | None: ...  # noqa: D102


V = TypeVar("V", bound=Version)
ViewOf = Callable[[V, Fragment | None], dict[str, Any]]
"""Returns the view of a version, given that of its run."""


async def version_list(request: web.Request, versions: Sequence[V], view_of: ViewOf[V]) -> Fragment:
    """Return versions as a JSON array: as many as fit into MAX_LIST_BYTES, and at least one."""
    parts: list[bytes] = []
    size, pauses = 0, Pauses()
    async for version, run in _with_runs(request, versions):
        part = dump(view_of(version, run))
        size += len(part)
        if parts and size > MAX_LIST_BYTES:
            break
        parts.append(part)
        await pauses.pause()
    return Fragment(b"[%b]" % b",".join(parts))


async def whole_version(request: web.Request, version: V, view_of: ViewOf[V]) -> bytes:
    """Return one version as JSON, with the whole of its run."""
    runs = await _runs_of(request, [version], max_bytes=None)
    return dump(view_of(version, runs.get(version.run) if version.run else None))


async def _with_runs(request: web.Request, versions: Sequence[V]) -> AsyncIterator[tuple[V, Fragment | None]]:
    for first in range(0, len(versions), _VERSIONS_AT_ONCE):
        part = versions[first : first + _VERSIONS_AT_ONCE]
        runs = await _runs_of(request, part, MAX_RUN_BYTES)
        for version in part:
            yield version, runs.get(version.run) if version.run else None


async def _runs_of(request: web.Request, versions: Sequence[Version], max_bytes: int | None) -> Mapping[UUID, Fragment]:
    """Return the runs of versions, as far as they exist and the API key may see them, with what they read and wrote."""
    resources, binding = request.app[RESOURCES], binding_of(request)
    wanted = list(dict.fromkeys(version.run for version in versions if version.run is not None))
    found = {
        id_: run
        for id_, run in zip(wanted, await resources.reader.read_all(wanted), strict=True)
        if run is not None and visible(binding, run) is not None
    }
    lineage = await resources.run_lineage.read(list(found.items()), binding)
    views, pauses = {}, Pauses()
    for id_, run in found.items():
        view = run_view(str(id_), run, lineage.found.get(id_))
        text = dump(view)
        if max_bytes is not None and len(text) > max_bytes:
            text = dump(abridged(view))
        views[id_] = Fragment(text)
        await pauses.pause()
    return views

"""Keeps the catalog (namespaces, jobs, runs) folded up to where the ledger ends, or to where a reader needs it.

One process folds at a time, under a lock on the cursor, committing each page. Nobody folds within a request: a request
asks for the position that was the head when it came in, and waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from service import fold, ledger, registers
from service.definitions import merge_jobs, merge_namespaces
from service.domain import Event, Subject, merge
from service.errors import Unavailable
from service.fold import Page
from service.ledger import LOG
from service.link import Link, Unreachable, load
from service.subjects import SHAPES

_log = logging.getLogger(__name__)

_LOCK = load("catalog_lock")
_MOVE = load("catalog_move")
_EVENTS = load("events_after")
_PUT = {
    Subject.RUN: load("put_runs"),
    Subject.JOB: load("put_jobs"),
    Subject.NAMESPACE: load("put_namespaces"),
}
_ROWS = {subject: load("catalog_rows", catalog=shape.catalog) for subject, shape in SHAPES.items()}
_COUNTS = load("add_run_counts")

_ASYNCHRONOUS = "set local synchronous_commit = off"
"""The catalog is derived and its cursor commits with it: a crash takes back both, or neither."""

PAGE = 1000
"""Events folded in one transaction."""

_PIECE = 100

WAIT = 2.0
"""Seconds a request waits for the catalog before it is told 503."""

_PAGE_BYTES = 8 * 1024 * 1024
"""Payload bytes in one page, as they lie in the table; one event is always taken."""

_MUCH = 5_000
"""Events that gather before they are folded though nobody waits: what a list may have to wait for, at the most."""

_LAZINESS = 1.0
"""Seconds between an append and the fold nobody waits for: what comes meanwhile is folded with it."""


class Catalog:
    """The folding task of this process."""

    def __init__(self, link: Link, head_link: Link) -> None:
        """Take a connection to fold with and one to ask for the head with."""
        self._link = link
        self._head_link = head_link
        self._head_lock = asyncio.Lock()
        self._reached = 0
        self._wanted = 0
        self._appended = 0
        self._wake = asyncio.Event()
        self._moved: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._next_head: asyncio.Task[int] | None = None

    def start(self) -> None:
        """Start folding; what is not folded yet is folded first."""
        self._moved = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="catalog")

    async def close(self) -> None:
        """Stop; what is not folded yet is folded by the next process that starts or is asked."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def appended(self, position: int) -> None:
        """Hear that this process appended up to a position."""
        if position > self._appended:
            self._appended = position
            self._wake.set()

    async def reach(self, position: int) -> None:
        """Wait until the catalog holds a position. Raises Unavailable after WAIT seconds."""
        try:
            async with asyncio.timeout(WAIT):
                while self._reached < position:
                    self._wanted = max(self._wanted, position)
                    self._wake.set()
                    assert self._moved is not None  # noqa: S101  start() comes before any request
                    await asyncio.shield(self._moved)
        except TimeoutError:
            raise Unavailable(
                f"the catalog has not caught up with position {position}; nothing is lost, ask again"
            ) from None

    async def catch_up(self) -> None:
        """Wait until the catalog holds all that was recorded when this was called."""
        await self.reach(await self._head())

    async def _head(self) -> int:
        """Ask where the ledger ends; whoever comes while one asks shares the next question."""
        if self._next_head is None:
            self._next_head = asyncio.create_task(self._ask_head(), name="head")
        return await asyncio.shield(self._next_head)

    async def _ask_head(self) -> int:
        async with self._head_lock:
            self._next_head = None
            try:
                return (await ledger.head(self._head_link)).position
            except Unreachable as error:
                raise Unavailable(f"the database does not answer: {error}") from error

    async def _run(self) -> None:
        await self._fold_to_the_end()
        while True:
            if self._wanted <= self._reached:
                await self._wake.wait()
                self._wake.clear()
                await self._be_lazy()
            await self._fold_to_the_end()

    async def _be_lazy(self) -> None:
        """Let appends gather, unless somebody waits or much has gathered."""
        try:
            async with asyncio.timeout(_LAZINESS):
                while self._wanted <= self._reached and self._appended - self._reached < _MUCH:
                    await self._wake.wait()
                    self._wake.clear()
        except TimeoutError:
            pass

    async def _fold_to_the_end(self) -> None:
        try:
            while True:
                position, folded = await fold_once(self._link)
                self._advance(position)
                if not folded:
                    # Appends commit before they are told of: nobody waits for what is beyond the end.
                    self._wanted = min(self._wanted, position)
                    return
        except Unreachable:
            await asyncio.sleep(_LAZINESS)
        except Exception:
            _log.exception("the catalog could not be folded")
            await asyncio.sleep(_LAZINESS)

    def _advance(self, position: int) -> None:
        self._reached = max(self._reached, position)
        moved, self._moved = self._moved, asyncio.get_running_loop().create_future()
        if moved is not None and not moved.done():
            moved.set_result(None)


async def fold_once(link: Link, page_size: int = PAGE) -> tuple[int, int]:
    """Fold the next page in one transaction. Returns where the cursor is, and how many events were folded."""
    async with link.connection() as connection, connection.transaction():
        await connection.execute(_ASYNCHRONOUS)
        cursor = await connection.fetchval(_LOCK, LOG)
        rows = await connection.fetch(_EVENTS, LOG, cursor, page_size, _PAGE_BYTES)
        if not rows:
            return cursor, 0
        await _write(connection, await _fold_page(rows))
        last: int = rows[-1][0]
        await connection.execute(_MOVE, LOG, last)
        return last, len(rows)


async def _fold_page(rows: list[Any]) -> Page:
    """Fold in small pieces: requests come in between."""
    folding = fold.Folding()
    for index, row in enumerate(rows, 1):
        folding.add(Event._make(row[:15]), row[15])
        if index % _PIECE == 0:
            await asyncio.sleep(0)
    return folding.page()


async def _write(connection: Any, page: Page) -> None:  # noqa: ANN401  asyncpg has no types
    runs_before = await _rows(connection, Subject.RUN, page.runs)
    runs = _merged(runs_before, page.runs, merge)
    jobs = _merged(await _rows(connection, Subject.JOB, page.jobs), page.jobs, merge_jobs)
    namespaces = _merged(await _rows(connection, Subject.NAMESPACE, page.namespaces), page.namespaces, merge_namespaces)
    rows = {run_id: fold.run_row(run_id, run) for run_id, run in runs.items()}
    await _put(connection, _PUT[Subject.RUN], list(rows.values()))
    await _put(
        connection,
        _PUT[Subject.JOB],
        [
            (
                i,
                j.position,
                fold.namespace_id(j.namespace),
                j.namespace,
                j.name,
                j.hidden,
                j.updated_at,
                registers.pack(j),
            )
            for i, j in jobs.items()
        ],
    )
    await _put(
        connection,
        _PUT[Subject.NAMESPACE],
        [(i, n.position, n.name, n.hidden, registers.pack(n)) for i, n in namespaces.items()],
    )
    counts = fold.count_changes(runs_before, rows)
    await _put(connection, _COUNTS, [(*key, change) for key, change in sorted(counts.items())])


async def _rows(connection: Any, subject: Subject, ids: Mapping[UUID, Any]) -> dict[UUID, Any]:  # noqa: ANN401
    unpack = SHAPES[subject].unpack
    return {row[0]: unpack(row[1]) for row in await connection.fetch(_ROWS[subject], list(ids))} if ids else {}


def _merged(
    before: Mapping[UUID, Any], page: Mapping[UUID, Any], merge_two: Callable[[Any, Any], Any]
) -> dict[UUID, Any]:
    return {key: merge_two(before[key], part) if key in before else part for key, part in page.items()}


async def _put(connection: Any, statement: str, rows: list[Any]) -> None:  # noqa: ANN401
    if rows:
        await connection.execute(statement, *zip(*rows, strict=True))

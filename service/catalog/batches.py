"""Rows in batches, as statements take them: an array for each column."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R", bound=tuple[Any, ...])

_STATEMENT_BYTES = 4 * 1024 * 1024
"""Most bytes of registers that a statement writes; registers that have more are written alone."""

_BURST_S = 0.005

_PART = 500


def in_slices(rows: Iterable[R], column: int) -> Iterator[list[R]]:
    """Yield rows in slices of at most _STATEMENT_BYTES of registers, which are in a column, or of one row."""
    slice_: list[R] = []
    size = 0
    for row in rows:
        added = len(row[column])
        if slice_ and size + added > _STATEMENT_BYTES:
            yield slice_
            slice_, size = [], 0
        slice_.append(row)
        size += added
    if slice_:
        yield slice_


def as_columns(rows: Sequence[tuple[object, ...]], count: int) -> list[Sequence[object]]:
    """Return the columns of rows; `count`: their number, where there are no rows."""
    return list(zip(*rows, strict=True)) if rows else [()] * count


def in_parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield items some at a time: as many as are dealt with in a millisecond or less; `Pauses` come between them."""
    for start in range(0, len(items), _PART):
        yield items[start : start + _PART] if len(items) > _PART else items


class Pauses:
    """Lets other tasks of the event loop have their turn in the middle of long work."""

    def __init__(self) -> None:
        """Begin now."""
        self._since = time.perf_counter()

    async def pause(self) -> None:
        """Give way where this task has worked for some milliseconds."""
        if time.perf_counter() - self._since > _BURST_S:
            await asyncio.sleep(0)
            self._since = time.perf_counter()

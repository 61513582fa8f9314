"""A run as it was, and what became of each of its events."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import datetime
from functools import reduce
from typing import NamedTuple
from uuid import UUID

from service.audit.filters import Filters
from service.audit.ledger_reader import Audit, Span
from service.domain.bitemporal import ValidAt
from service.domain.event import Kind, RunState
from service.domain.event_verdicts import Judgement, Judging
from service.domain.run import RunRegisters, merge, registers_of
from service.http.resources import Resources

_PIECE = 200
"""Events folded before others on the loop get their turn."""


class _Verdict(NamedTuple):
    """What became of an event; `incomplete`: what its payload said is not in that, it is archived."""

    judgement: Judgement
    incomplete: bool


async def _judged(resources: Resources, run: UUID, upto: int) -> dict[int, _Verdict]:
    judging = Judging()
    positions, missing = [], []
    async with aclosing(resources.audit.history(run, upto)) as history:
        async for told in history:
            judging.add(told.event, told.content)
            positions.append(told.event.position)
            if told.missing:
                missing.append(told.event.position)
            if len(positions) % _PIECE == 0:
                await asyncio.sleep(0)
    archived = {position for some in (await resources.lineage.archived(missing)).values() for position in some}
    return {
        position: _Verdict(judgement, position in archived)
        for position, judgement in zip(positions, judging.judgements(), strict=True)
    }


async def _known(audit: Audit, run: UUID, position: int) -> tuple[RunRegisters | None, list[int]]:
    """Fold what the ledger told up to a position, on top of what the catalog has folded of that.

    Where a payload was erased and that is not folded yet, the catalog may still have what it said: then all is folded
    from the ledger. Returns the positions whose payloads were missing, too.
    """
    standing, folded = await audit.folded(run, position)
    if standing is not None and await _erased(audit, run, folded):
        standing = None
    parts, missing = [standing] if standing else [], []
    async with aclosing(audit.history(run, position, standing.position if standing else 0)) as history:
        async for told in history:
            parts.append(registers_of(told.event, told.content))
            if told.missing:
                missing.append(told.event.position)
            if len(parts) >= _PIECE:
                parts = [reduce(merge, parts)]
                await asyncio.sleep(0)
    return (reduce(merge, parts) if parts else None), missing


async def _erased(audit: Audit, run: UUID, after: int) -> bool:
    erasures = Span(after, (await audit.head()).position)
    return await audit.count(Filters(run=run, kinds=(Kind.ERASED,)), erasures) > 0


async def _valid(audit: Audit, run: UUID, position: int, at: datetime) -> tuple[RunRegisters | None, list[int]]:
    folding = ValidAt(at)
    count, missing = 0, []
    async with aclosing(audit.history(run, position)) as history:
        async for told in history:
            folding.add(told.event, told.content)
            count += 1
            if told.missing and (told.event.transitioned_at <= at or told.event.state == RunState.NEW):
                missing.append(told.event.position)
            if count % _PIECE == 0:
                await asyncio.sleep(0)
    return folding.run(), missing

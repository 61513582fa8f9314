"""Summaries of a run's events, from which any part of a long history is merged without reading most of them. Pure.

The events of a run, in the order of their positions, are divided into groups of LEAF_EVENTS. What each group comes to
is a summary of level 0. FANOUT consecutive summaries of a level make one of the next level. A summary is made once all
of its events are there, so the last events of a run belong to none yet, and only an erasure changes one later.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from typing import NamedTuple

from service.domain.event import Content, Event
from service.domain.run import RunRegisters, merge_runs, run_registers_of

LEAF_EVENTS = 128
"""Events of a summary of level 0."""

FANOUT = 16
"""Summaries of a level that make one of the next level."""

LEVELS = 5
"""Number of levels: a summary of the highest one has 8 million events."""


class Summary(NamedTuple):
    """What consecutive events of a run come to.

    `first` and `last` are the least and the greatest of their positions, `earliest` and `latest` of their own times.
    `registers` are None where the payload of one of them was archived before they were merged: then the events must be
    read one by one.
    """

    level: int
    events: int
    first: int
    last: int
    earliest: datetime
    latest: datetime
    registers: RunRegisters | None


def summary_of(event: Event, content: Content | None) -> Summary:
    """Return the summary of one event; `content` is None where its payload is archived."""
    position, at = event.position, event.transitioned_at
    return Summary(0, 1, position, position, at, at, None if content is None else run_registers_of(event, content))


def merge_summaries(summaries: Iterable[Summary], level: int) -> Summary:
    """Return the summary of consecutive groups of events, at least one, at a level."""
    return reduce(_merge, summaries)._replace(level=level)


def _merge(a: Summary, b: Summary) -> Summary:
    return Summary(
        0,
        a.events + b.events,
        min(a.first, b.first),
        max(a.last, b.last),
        min(a.earliest, b.earliest),
        max(a.latest, b.latest),
        None if a.registers is None or b.registers is None else merge_runs(a.registers, b.registers),
    )

"""Filters of the list of all runs: what they leave and in which order, computed from the runs of the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from random import Random
from typing import NamedTuple
from uuid import UUID

from chaos.model import ENDS, Run

_WIDTH = 200
"""About how many runs lie between the bounds of a search."""

_STATES = ("NEW", "RUNNING", *ENDS)


class Search(NamedTuple):
    """The parameters of a search, the runs that it must find, and their order."""

    parameters: dict[str, str]
    matches: Callable[[Run], bool]
    order: Callable[[Run], tuple[object, ...]]

    def found_in(self, runs: Iterator[Run]) -> list[UUID]:
        """Return the runs that the search must find, in order."""
        matching = [run for run in runs if self.matches(run)]
        descending = self.parameters.get("order", "desc") == "desc"
        return [run.id for run in sorted(matching, key=self.order, reverse=descending)]


class _Axis(NamedTuple):
    """A time of runs by which searches are bounded: its name in parameters, its value, and the order of the list."""

    name: str
    value: Callable[[Run], datetime | None]
    order: Callable[[Run], tuple[object, ...]]


def _by_start(run: Run) -> tuple[object, ...]:
    return run.started or run.created, run.id


_AXES = (
    _Axis("started", lambda run: run.started, _by_start),
    _Axis("ended", lambda run: run.end[0] if run.end else None, lambda run: (run.end[0] if run.end else 0, run.id)),
    _Axis("updated", lambda run: run.updated, lambda run: (run.position,)),
)


def searches(runs: Sequence[Run], random: Random) -> list[Search]:
    """Return a search for each time that can bound one, and for what was running, each with other filters by chance."""
    found = [_bounded(axis, runs, random) for axis in _AXES]
    starts = sorted(run.started for run in runs if run.started is not None)
    if starts:
        found.append(_running(random.choice(starts), random))
    return [_narrowed(search, random) for search in found if search is not None]


def _bounded(axis: _Axis, runs: Sequence[Run], random: Random) -> Search | None:
    """Return a search between two times of runs, the first of which is included, the second not."""
    values = sorted(value for run in runs if (value := axis.value(run)) is not None)
    if len(values) < 2:
        return None
    begin = random.randrange(len(values) - 1)
    first, last = values[begin], values[min(begin + random.randrange(1, _WIDTH), len(values) - 1)]

    def matches(run: Run) -> bool:
        value = axis.value(run)
        return value is not None and first <= value < last

    parameters = {f"{axis.name}After": first.isoformat(), f"{axis.name}Before": last.isoformat()}
    return Search({**parameters, "order": random.choice(("asc", "desc"))}, matches, axis.order)


def _running(at: datetime, random: Random) -> Search:
    """Return a search for the runs of some job that were running at a time; one that ended then was not."""

    def matches(run: Run) -> bool:
        return run.started is not None and run.started <= at and (run.end is None or run.end[0] > at)

    return Search({"runningAt": at.isoformat(), "limit": str(random.randrange(50, 1_000))}, matches, _by_start)


def _narrowed(search: Search, random: Random) -> Search:
    """Return a search with one more filter, or none."""
    state = random.choice(_STATES)
    if random.random() < 0.5:
        return search
    return Search(
        {**search.parameters, "state": state}, lambda run: run.state == state and search.matches(run), search.order
    )

"""Finds runs across jobs, in the catalog as far as it is projected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from service.catalog.queries import PAGE_BYTES, VISIBLE_RUN, condition, may_see
from service.catalog.run_parts import Row, read_parts
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.binding import Binding
from service.domain.event import RunState, Subject
from service.domain.facet_selection import FacetNames
from service.domain.registers import EPOCH
from service.domain.run import RunRegisters
from service.ledger.bound_runs import matching_namespaces
from service.ledger.cursors import PositionCursor, RowCursor
from service.ledger.events import LOG
from service.ledger.ledger_registers import read_registers


class Order(StrEnum):
    """The direction of a list."""

    DESC = "desc"
    ASC = "asc"


class RunFilters(NamedTuple):
    """What runs must match; None matches any.

    `…_after` includes its bound, `…_before` does not. A run that ended at running_at was not running then. `updated` is
    the time at which the run's last event was recorded. `contradicted`: ends in several states were reported.
    `restarted`: a START was reported after the end. `inferred`: the end was not reported, but inferred. `parent`: the
    run that they name as their parent. `length_…`: bounds of durations. `sort`: the order; None: as `order_of` says.
    """

    states: tuple[str, ...] | None = None
    namespace: str | None = None
    job: str | None = None
    started_before: datetime | None = None
    started_after: datetime | None = None
    running_at: datetime | None = None
    updated_before: datetime | None = None
    updated_after: datetime | None = None
    ended_before: datetime | None = None
    ended_after: datetime | None = None
    contradicted: bool | None = None
    restarted: bool | None = None
    inferred: bool | None = None
    parent: UUID | None = None
    length_before: timedelta | None = None
    length_after: timedelta | None = None
    sort: RunOrder | None = None


class RunOrder(StrEnum):
    """By what found runs are ordered: `sort` of the filters, else the time that they bound. An index has each order."""

    START = "start"
    UPDATE = "update"
    END = "end"
    DURATION = "duration"


def order_of(filters: RunFilters) -> RunOrder:
    """Return by what the runs of filters are ordered."""
    if filters.sort is not None:
        return filters.sort
    if filters.running_at is not None:
        return RunOrder.START
    if filters.ended_before is not None or filters.ended_after is not None:
        return RunOrder.END
    if filters.updated_before is not None or filters.updated_after is not None:
        return RunOrder.UPDATE
    lengths = filters.length_before is not None or filters.length_after is not None
    started = filters.started_before is not None or filters.started_after is not None
    return RunOrder.DURATION if lengths and not started else RunOrder.START


RunCursor = RowCursor | PositionCursor
"""The place after a run: by its last event in a list that is ordered by update, else by its time and id."""


class FoundRun(NamedTuple):
    """A run, and the cursor after which the next page begins."""

    id: UUID
    row: RunCursor
    registers: RunRegisters


class FoundRuns(NamedTuple):
    """A page of runs, and the cursor after which there are more; None: there are none.

    `counted`: how many runs match, from this page on, as far as they were counted.
    """

    runs: list[FoundRun]
    following: RunCursor | None
    counted: int


_START_KEY, _END_KEY = "coalesce(t.started_at, t.created_at)", "t.ended_at"
_DURATION_KEY = "to_timestamp(extract(epoch from t.ended_at - t.started_at)::double precision)"
"""The duration as a time after 1970, so that bounds and cursors are those of the other orders."""

_FILTERS = load_text("run_filters", length=_DURATION_KEY)
_VISIBLE = load_text("visible_runs", visible_run=VISIBLE_RUN)
_FILTERS_BY_BOUND = {False: _FILTERS, True: f"{_FILTERS} and {_VISIBLE}"}
"""The filters of runs, by whether they are for an API key that is bound to namespaces."""

_TIME_PARTS: Mapping[Order, dict[str, str]] = {
    Order.DESC: {
        "direction": "desc",
        "beyond": "<",
        "within": ">= coalesce(:far_time::timestamptz, '-infinity')",
    },
    Order.ASC: {
        "direction": "asc",
        "beyond": ">",
        "within": "< coalesce(:far_time::timestamptz, 'infinity')",
    },
}
_UPDATE_PARTS: Mapping[Order, dict[str, str]] = {
    Order.DESC: {"direction": "desc", "beyond": "<", "within": ">="},
    Order.ASC: {"direction": "asc", "beyond": ">", "within": "<="},
}


_MARKS = ("contradicted", "restarted", "inferred")
"""Names of columns of runs, and of fields of RunFilters."""


def _page(name: str, **parts: str) -> str:
    """Return a statement of which the first rows are read, and the others are counted."""
    return load("within_bytes", statement=load_text(name, **parts), wanted=load_text("first_rows"))


def _by_time(name: str, key: str, filters: str) -> dict[Order, str]:
    return {order: _page(name, key=key, filters=filters, **parts) for order, parts in _TIME_PARTS.items()}


def _by_update(name: str, filters: str) -> dict[Order, str]:
    return {order: _page(name, filters=filters, **parts) for order, parts in _UPDATE_PARTS.items()}


BY_START = _by_time("runs_by_time", _START_KEY, _FILTERS)
BY_NAME = _by_time("runs_by_name", _START_KEY, _FILTERS)
BY_OTHERS = {
    RunOrder.END: _by_time("runs_by_time", _END_KEY, _FILTERS),
    RunOrder.UPDATE: _by_update("runs_by_update", _FILTERS),
    RunOrder.DURATION: _by_time("runs_by_time", _DURATION_KEY, _FILTERS),
}
OF_NAMESPACES = {
    RunOrder.START: _by_time("runs_of_namespaces", _START_KEY, _FILTERS_BY_BOUND[True]),
    RunOrder.END: _by_time("runs_of_namespaces", _END_KEY, _FILTERS_BY_BOUND[True]),
    RunOrder.UPDATE: _by_update("runs_of_namespaces_by_update", _FILTERS_BY_BOUND[True]),
    RunOrder.DURATION: _by_time("runs_of_namespaces", _DURATION_KEY, _FILTERS_BY_BOUND[True]),
}
"""The statements for bound keys: what others record does not make them slower."""

RUNNING_AT = {
    False: _page("runs_running_at", filters=_FILTERS),
    True: _page("runs_of_namespaces_running_at", filters=_FILTERS_BY_BOUND[True]),
}


def _only(condition: str, filters: str) -> dict[RunOrder, dict[Order, str]]:
    """Return the statements for runs of which a condition holds that has an index, which none with `or` uses."""
    filters = f"{condition} and {filters}"
    return {
        RunOrder.START: _by_time("runs_by_time", _START_KEY, filters),
        RunOrder.END: _by_time("runs_by_time", _END_KEY, filters),
        RunOrder.UPDATE: _by_update("runs_by_update", filters),
        RunOrder.DURATION: _by_time("runs_by_time", _DURATION_KEY, filters),
    }


MARKED = {(mark, bound): _only(f"t.{mark}", each) for mark in _MARKS for bound, each in _FILTERS_BY_BOUND.items()}
OF_PARENT = {bound: _only("t.parent_run = :parent", each) for bound, each in _FILTERS_BY_BOUND.items()}
_POSITION_AT = load("position_at")

_TICK = timedelta(microseconds=1)
_LOWEST_ID, _HIGHEST_ID = UUID(int=0), UUID(int=2**128 - 1)
_TOP = RowCursor(datetime.max.replace(tzinfo=UTC), _HIGHEST_ID)
_BOTTOM = RowCursor(datetime.min.replace(tzinfo=UTC), _LOWEST_ID)
_HIGHEST_POSITION = 2**63 - 1


class _PositionBounds(NamedTuple):
    """The positions of the last events of runs that match, in (after, upto]; None: no bound."""

    after: int | None
    upto: int | None


class RunSearch:
    """Finds runs across jobs."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def runs(
        self,
        filters: RunFilters,
        after: RunCursor | None,
        limit: int,
        order: Order = Order.DESC,
        binding: Binding | None = None,
        most_counted: int = 0,
        facets: FacetNames | None = None,
    ) -> FoundRuns:
        """Return runs in order: by the time that `order_of` names; by start, those that have not started by creation.

        They are at most `limit`, and fewer where their registers take more than PAGE_BYTES. `after` must be a cursor of
        a list in the same order. `running_at` means DESC. `binding`: only runs that an API key with it may see.
        `most_counted`: how many runs are counted at most, where that is more than there are in the page. `facets`: the
        names of the facets that are wanted; None: all.
        Raises Unavailable when the database does not answer, and Invalid for a binding with too many namespaces.
        """
        by = order_of(filters)
        within: tuple[list[str], ...] = ()
        if binding is not None:
            namespaces = await self._namespaces(filters, binding)
            if not namespaces:
                return FoundRuns([], None, 0)
            within = (namespaces, *condition(binding))
        if filters.running_at is not None:
            order = Order.DESC
        statement = _statement(filters, by, order, bound=binding is not None)

        async def fetch(connection: Any, read: Sequence[Row]) -> Sequence[Row]:  # noqa: ANN401
            bounds = await _position_bounds(connection, filters)
            place, rest = _cursor(read[-1], by) if read else after, limit - len(read)
            last = (*_row_filters(filters, bounds), *within, rest, PAGE_BYTES)
            most = max(rest + 1, most_counted)
            rows: list[Row]
            if by is RunOrder.UPDATE:
                first_and_far = _update_bounds(place, bounds, order)
                rows = await connection.fetch(statement, _states(filters), *first_and_far, most, *last)
            else:
                first, far = _time_bounds(filters, place, by, order)
                at = () if filters.running_at is None else (filters.running_at,)
                rows = await connection.fetch(statement, _states(filters), *first, far, most, *at, *last)
            return rows

        if facets is None:
            async with self._connections.connection() as connection:
                rows = await fetch(connection, ())
            registers = await read_registers(self._connections, LOG, Subject.RUN, rows)
            count = rows[0]["found"] if rows else 0
        else:
            rows, registers, count = await read_parts(self._connections, fetch, limit, facets, PAGE_BYTES)
        found = [FoundRun(row["id"], _cursor(row, by), run) for row, run in zip(rows, registers, strict=True)]
        following = found[-1].row if count > len(found) else None
        return FoundRuns([run for run in found if may_see(binding, run.registers)], following, count)

    async def _namespaces(self, filters: RunFilters, binding: Binding) -> list[str]:
        """Return the namespaces within a binding that runs may have."""
        if filters.namespace is None:
            return await matching_namespaces(self._connections, binding)
        return [filters.namespace] if binding.allows(filters.namespace) else []


def _cursor(row: Row, by: RunOrder) -> RunCursor:
    return PositionCursor(LOG, row["at"]) if by is RunOrder.UPDATE else RowCursor(row["at"], row["id"])


def _states(filters: RunFilters) -> list[str]:
    """Return the states that can match: a run that is NEW has neither started nor ended."""
    started_only = filters.started_before is not None or filters.started_after is not None
    return [state for state in filters.states or RunState if not (started_only and state == RunState.NEW)]


def _statement(filters: RunFilters, by: RunOrder, order: Order, *, bound: bool) -> str:
    if filters.running_at is not None:
        return RUNNING_AT[bound]
    if filters.parent is not None:
        return OF_PARENT[bound][by][order]
    mark = next((mark for mark in _MARKS if getattr(filters, mark)), None)
    if mark is not None:
        return MARKED[mark, bound][by][order]
    if bound:
        return OF_NAMESPACES[by][order]
    if by is not RunOrder.START:
        return BY_OTHERS[by][order]
    return (BY_START if filters.namespace is None and filters.job is None else BY_NAME)[order]


async def _position_bounds(connection: Any, filters: RunFilters) -> _PositionBounds:  # noqa: ANN401
    """Return the positions that the bounds of `updated` come to: times of recording never decrease with position."""
    after, before = filters.updated_after, filters.updated_before
    return _PositionBounds(
        None if after is None else await connection.fetchval(_POSITION_AT, LOG, after - _TICK),
        None if before is None else await connection.fetchval(_POSITION_AT, LOG, before - _TICK),
    )


def _row_filters(filters: RunFilters, bounds: _PositionBounds) -> tuple[object, ...]:
    """Return the arguments of run_filters.sql."""
    started_only = filters.started_before is not None or filters.started_after is not None
    started = filters.started_after, filters.started_before
    ended = filters.ended_after, filters.ended_before
    marks = filters.contradicted, filters.restarted, filters.inferred
    lengths = _length_key(filters.length_after), _length_key(filters.length_before)
    return (
        *(filters.namespace, filters.job, started_only),
        *(*started, *ended, *bounds, *marks),
        *(filters.parent, *lengths),
    )


def _length_key(length: timedelta | None) -> datetime | None:
    """Return a duration as the index has it: a time after 1970."""
    return None if length is None else EPOCH + length


def _update_bounds(after: RunCursor | None, bounds: _PositionBounds, order: Order) -> tuple[int, int]:
    """Return the position from which to read, which is not included, and the last one, which is."""
    lowest, highest = bounds.after or 0, _HIGHEST_POSITION - 1 if bounds.upto is None else bounds.upto
    cursor = after.position if isinstance(after, PositionCursor) else None
    if order is Order.DESC:
        return min(highest + 1, highest + 1 if cursor is None else cursor), lowest + 1
    return max(lowest, 0 if cursor is None else cursor), highest


def _time_bounds(
    filters: RunFilters, after: RunCursor | None, by: RunOrder, order: Order
) -> tuple[RowCursor, datetime | None]:
    """Return the bound from which to read, which is not included, and the time at which to end."""
    begin, end = filters.started_after, filters.started_before
    if by is RunOrder.END:
        begin, end = filters.ended_after, filters.ended_before
    elif by is RunOrder.DURATION:
        begin, end = _length_key(filters.length_after), _length_key(filters.length_before)
    cursors = [after] if isinstance(after, RowCursor) else []
    if order is Order.ASC:
        if begin is not None:
            cursors.append(RowCursor(begin - _TICK, _HIGHEST_ID))
        return max([_BOTTOM, *cursors]), end
    if end is not None:
        cursors.append(RowCursor(end, _LOWEST_ID))
    if filters.running_at is not None:
        cursors.append(RowCursor(filters.running_at + _TICK, _LOWEST_ID))
    return min([_TOP, *cursors]), begin

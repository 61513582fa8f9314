"""The queries of an auditor: pages by every filter, counts, runs at a past time, runs across jobs.

Each answer is compared with the result of a scan of the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from bench.lives import LONG, name_of, namespace_of, time_of
from bench.operations import WrongAnswersError
from service.ledger.cursors import PositionCursor, RowCursor, encode_position, encode_row
from service.ledger.events import LOG

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from bench.ledger_stage import LedgerStage

API = "/api/v1"
LIMIT = 100
DAY, HOUR = timedelta(days=1), timedelta(hours=1)

FILTERS: dict[str, dict[str, str]] = {
    "any event": {},
    "namespace": {"namespace": namespace_of(7)},
    "job, the commonest": {"job": name_of(0)},
    "job, the rarest": {"job": name_of(1_999)},
    "actor": {"actor": "airflow"},
    "actor, rare": {"actor": "operator"},
    "kind": {"kind": "facts"},
    "kind, rare": {"kind": "deleted"},
    "state": {"state": "FAILED"},
    "source": {"source": "openlineage"},
    "source, rare": {"source": "monitor"},
    "run of many events": {"run": str(LONG[50])},
    "since, until": {"since": "", "until": ""},
    "namespace, since": {"namespace": namespace_of(7), "since": ""},
    "namespace, state": {"namespace": namespace_of(7), "state": "FAILED,ABORTED"},
    "job, kind": {"job": name_of(1), "kind": "facts"},
    "actor, state, source": {"actor": "spark", "state": "RUNNING", "source": "import"},
    "a common actor, the source of others": {"actor": "airflow", "source": "api"},
}
"""Filters by name; the values of the last never occur together. Empty times are filled in to match the place."""

RUNS: dict[str, dict[str, str]] = {
    "state=RUNNING": {"state": "RUNNING"},
    "state=FAILED": {"state": "FAILED"},
    "namespace": {"namespace": namespace_of(7)},
    "job, the rarest": {"job": name_of(1_999)},
    "namespace, job, state": {"namespace": namespace_of(0), "job": name_of(0), "state": "FAILED"},
    "startedAfter, startedBefore": {"startedAfter": "", "startedBefore": ""},
    "runningAt": {"runningAt": ""},
    "runningAt, namespace": {"runningAt": "", "namespace": namespace_of(7)},
    "runningAt, job, the rarest": {"runningAt": "", "job": name_of(1_999)},
}

_COLUMNS = {"namespace": "namespace", "job": "job", "actor": "actor", "kind": "kind", "state": "state"}
_COLUMNS |= {"source": "source", "run": "stream::text"}

_SHORT = """
select e.stream, array_agg(e.state order by e.position) as states, array_agg(e.recorded_at order by e.position) as times
  from runfold.events e
 where e.log = 0 and e.position > $1 and e.position <= $1 + 20000 and e.subject = 'run'
 group by e.stream
having count(*) = 3 and min(e.state) filter (where e.source <> 'api') is null
   and bool_or(e.state = 'NEW') and bool_or(e.state in ('COMPLETED', 'FAILED'))
 limit $2
"""


@dataclass(frozen=True)
class Question:
    """A GET request; `check` verifies the decoded answer and returns the number of results."""

    name: str
    place: str
    path: str
    params: dict[str, str]
    check: Callable[[Any], int]


async def pages(stage: LedgerStage) -> AsyncIterator[Question]:
    """Yield a page by every filter at the beginning, in the middle and at the end of the ledger."""
    for name, filters in FILTERS.items():
        for place in ("beginning", "middle", "end"):
            after = {"beginning": 0, "middle": stage.head // 2}.get(place)
            if after is None:
                after = await _before_last_page(stage, filters)
            params = _with_times(filters, after)
            if "since" not in params:
                params["cursor"] = encode_position(PositionCursor(LOG, after))
            expected = await _scan(stage, params, 0 if "since" in params else after)
            yield Question(name, place, f"{API}/events", params, _positions(name, expected))


async def counts(stage: LedgerStage) -> AsyncIterator[Question]:
    """Yield the count by every filter, of the whole ledger or of a day in its middle."""
    for name, filters in FILTERS.items():
        params = _with_times(filters, stage.head // 2, DAY)
        where, values = _where(params)
        expected = await stage.database.connection.fetchval(
            f"select count(*) from runfold.events where {where}", *values
        )
        yield Question(name, "", f"{API}/events/count", params, _number(name, expected))


def _with_times(filters: dict[str, str], after: int, length: timedelta = HOUR) -> dict[str, str]:
    """Return the parameters with empty times filled in, beginning at the time of the event after a position."""
    since = time_of(after + 1)
    times = {"since": since, "until": since + length, "startedAfter": since, "startedBefore": since + DAY}
    times["runningAt"] = since
    return {name: value or times[name].isoformat() for name, value in filters.items()}


def _where(params: dict[str, str]) -> tuple[str, list[Any]]:
    """Return an SQL condition that only the index on positions supports, and its values."""
    conditions, values = ["log = 0"], list[Any]()
    for name, value in params.items():
        if name == "cursor":
            continue
        values.append(value.split(",") if name in _COLUMNS else datetime.fromisoformat(value))
        number = len(values)
        if name in _COLUMNS:
            conditions.append(f"{_COLUMNS[name]} = any (${number}::text[])")
        else:
            conditions.append(f"recorded_at {'>=' if name == 'since' else '<'} ${number}::timestamptz")
    return " and ".join(conditions), values


async def _scan(stage: LedgerStage, params: dict[str, str], after: int) -> list[int]:
    where, values = _where(params)
    statement = (
        f"select position from runfold.events where {where} and position > {after} order by position limit {LIMIT}"
    )
    return [row[0] for row in await stage.database.connection.fetch(statement, *values)]


async def _before_last_page(stage: LedgerStage, filters: dict[str, str]) -> int:
    """Return the position before the last page of a filter; a tenth before the end if there is no such event."""
    where, values = _where({name: value for name, value in filters.items() if value})
    newest = f"select position from runfold.events where {where} order by position desc limit {LIMIT}"
    found = await stage.database.connection.fetchval(f"select min(position) - 1 from ({newest}) e", *values)
    return stage.head * 9 // 10 if found is None else int(found)


def _positions(name: str, expected: list[int]) -> Callable[[Any], int]:
    def check(answer: Any) -> int:  # noqa: ANN401  JSON
        found = [event["position"] for event in answer["events"]]
        if found != expected:
            raise WrongAnswersError(
                f"a page by {name}: {found[:5]} … ({len(found)}), not {expected[:5]} … ({len(expected)})"
            )
        return len(found)

    return check


def _number(name: str, expected: int) -> Callable[[Any], int]:
    def check(answer: Any) -> int:  # noqa: ANN401  JSON
        if answer["count"] != expected:
            raise WrongAnswersError(f"a count by {name}: {answer['count']}, not {expected}")
        return expected

    return check


async def known_at(stage: LedgerStage, runs: int) -> AsyncIterator[Question]:
    """Yield short runs as known after their start, and long ones as known in the middle of the ledger."""
    for row in await stage.database.connection.fetch(_SHORT, stage.head // 2, runs):
        at = row["times"][1]
        known = [state for state, time in zip(row["states"], row["times"], strict=True) if time <= at]
        params = {"knownAt": at.isoformat()}
        yield Question("run of 3 events", "", _run(row["stream"]), params, _state("knownAt", known[-1]))
    middle = {"knownAt": time_of(stage.head // 2).isoformat()}
    for every, run in sorted(LONG.items(), reverse=True):
        name = f"run of {stage.head // every:,} events"
        yield Question(name, "middle", _run(run), middle, _state("knownAt", "RUNNING"))


def _run(run: UUID) -> str:
    return f"{API}/jobs/runs/{run}"


def _state(name: str, expected: str) -> Callable[[Any], int]:
    def check(answer: Any) -> int:  # noqa: ANN401  JSON
        if answer["state"] != expected:
            raise WrongAnswersError(f"{name} of run {answer['id']}: {answer['state']}, not {expected}")
        return 1

    return check


def searches(stage: LedgerStage) -> list[Question]:
    """Return pages of runs across jobs: the newest, and those in the middle of the ledger's time."""
    middle = time_of(stage.head // 2)
    found = []
    for name, filters in RUNS.items():
        params = _with_times(filters, stage.head // 2)
        found.append(Question(name, "newest", f"{API}/runs", params, _runs(name, params)))
        if not filters.keys() & {"runningAt", "startedAfter"}:
            cursor = {"cursor": encode_row(RowCursor(middle, UUID(int=0)))}
            found.append(Question(name, "middle", f"{API}/runs", params | cursor, _runs(name, params)))
    return found


def _runs(name: str, params: dict[str, str]) -> Callable[[Any], int]:
    def matches(run: dict[str, Any]) -> bool:
        began, ended, at = run["startedAt"] or run["createdAt"], run["endedAt"], params.get("runningAt")
        in_state = run["state"] in params.get("state", run["state"]).split(",")
        return in_state and (
            at is None
            or (
                datetime.fromisoformat(began) <= datetime.fromisoformat(at)
                and (ended is None or datetime.fromisoformat(ended) > datetime.fromisoformat(at))
            )
        )

    def check(answer: Any) -> int:  # noqa: ANN401  JSON
        runs = answer["runs"]
        order = [datetime.fromisoformat(run["startedAt"] or run["createdAt"]) for run in runs]
        if not all(map(matches, runs)) or order != sorted(order, reverse=True) or (not runs and "state" in params):
            raise WrongAnswersError(f"runs by {name} do not match the filter: {runs[:2]} …")
        return len(runs)

    return check

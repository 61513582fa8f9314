"""What happens in a ledger of millions of events: runs of many jobs, told by several sources, a few of them for long.

Made from the position alone, so that the same ledger comes of it every time and loading can be taken up anywhere. Pure.
"""

from __future__ import annotations

import heapq
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from service.domain.ids import stream_of

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACES, JOBS = 40, 2_000
BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
TICK = timedelta(milliseconds=500)
"""From one position to the next; four at a time are recorded together."""

LONG = {
    50: UUID(int=0x50 << 64 | 7 << 76),
    500: UUID(int=0x500 << 64 | 7 << 76),
    5_000: UUID(int=0x5000 << 64 | 7 << 76),
}
"""Runs that never end, and at every which position one of them is heard of."""

_DEFINED, _DELETED = 10_000, 100_000
_ENDS = ("COMPLETED",) * 88 + ("FAILED",) * 8 + ("ABORTED",) * 2 + (None,) * 2
_TYPES = {"RUNNING": "START", "COMPLETED": "COMPLETE", "FAILED": "FAIL", "ABORTED": "ABORT", None: "OTHER"}
_TOOLS = ("airflow", "spark", "dbt")
_DEFINITION = '{"type":"BATCH","inputs":[],"outputs":[],"description":"as of position %d"}'
_ARGS = '{"args":{"email":"me@example.com","attempt":"%d"}}'
_EVENT = (
    '{"eventTime":"%s","eventType":"%s","run":{"runId":"%s","facets":{%s}},"job":{"namespace":"%s","name":"%s"},'
    '"inputs":[],"outputs":[],"producer":"https://example.com/bench/%d",'
    '"schemaURL":"https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"}'
)
_PARENT = '"parent":{"run":{"runId":"%s"},"job":{"namespace":"%s","name":"%s"}}'
_ROWS = '"rows":{"read":%d}'


class Told(NamedTuple):
    """An event: the columns of the ledger that its sender knows."""

    subject: str
    stream: UUID
    kind: str
    state: str | None
    at: datetime
    namespace: str
    job: str
    parent_run: UUID | None
    source: str
    actor: str | None
    body: str | None


class _Run(NamedTuple):
    """What all events of a run have in common."""

    id: UUID
    namespace: str
    job: str
    parent: UUID | None
    source: str
    actor: str | None


def namespace_of(job: int) -> str:
    """Return the name of a job's namespace."""
    return f"team-{job % NAMESPACES:02}"


def name_of(job: int) -> str:
    """Return a job's name; the lower its number, the oftener it runs."""
    return f"etl.load_{job:04}"


def time_of(position: int) -> datetime:
    """Return when a position is recorded."""
    return BEGAN + position // 4 * 4 * TICK


def events(first: int, count: int) -> Iterator[Told]:
    """Give the events of so many positions. Runs that begin among them end among them, if they end."""
    chance = random.Random(first)
    due: list[tuple[int, int, _Run, str | None]] = []
    beyond = first + count
    for position in range(first, beyond):
        rare = _rare(position)
        if rare is not None:
            yield rare
        elif due and (due[0][0] <= position or len(due) >= beyond - position):
            _, _, run, state = heapq.heappop(due)
            yield _tell(run, state, position, chance)
        else:
            run = _begin(position, chance)
            state, *rest = _states(run, chance)
            when = position
            for number, following in enumerate(rest):
                when += 1 + int(
                    2 ** (12 * chance.random())
                )  # as many short runs as long ones: half a second to half an hour
                heapq.heappush(due, (when, 2 * position + number, run, following))
            yield _tell(run, state, position, chance)


def _rare(position: int) -> Told | None:
    """Return what comes at regular positions."""
    for every, run in LONG.items():
        if position % every == every // 5:
            beating = _Run(run, namespace_of(1), name_of(1), None, "openlineage", "spark")
            return _reported(beating, "RUNNING", position, position)
    if position % _DEFINED == 17:
        return _definition(position, "defined", _DEFINITION % position)
    if position % _DELETED == 23:
        return _definition(position, "deleted", None)
    return None


def _definition(position: int, kind: str, body: str | None) -> Told:
    names = namespace_of(position // _DEFINED % JOBS), name_of(position // _DEFINED % JOBS)
    at = BEGAN + position * TICK
    return Told("job", stream_of(*names), kind, None, at, *names, None, "api", "operator", body)


def _begin(position: int, chance: random.Random) -> _Run:
    job = int(JOBS * chance.random() ** 3)
    milliseconds = int((BEGAN + position * TICK).timestamp() * 1000)
    run = UUID(int=milliseconds << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62))
    if job % 5 < 3:
        return _Run(run, namespace_of(job), name_of(job), None, "api", f"scheduler-{job % 6}")
    source = "import" if chance.random() < 0.1 else "openlineage"
    parent = LONG[500] if chance.random() < 0.1 else None
    return _Run(run, namespace_of(job), name_of(job), parent, source, _TOOLS[job % 3] if job % 20 < 18 else None)


def _states(run: _Run, chance: random.Random) -> list[str | None]:
    """Return what is told of a run; None as an event without a transition."""
    end = chance.choice(_ENDS)
    if run.source == "api":
        return ["NEW", "RUNNING", *([end] if end else [])]
    facts: list[str | None] = [None] if chance.random() < 0.3 else []
    return ["RUNNING", *facts, *([end] if end else [])]


def _tell(run: _Run, state: str | None, position: int, chance: random.Random) -> Told:
    if run.source != "api":
        return _reported(run, state, position, chance.getrandbits(20))
    body = _ARGS % (position % 3) if state == "NEW" and position % 3 else None
    if state == "ABORTED" and position % 4 == 0:
        run = run._replace(source="monitor", actor=None)
    at = BEGAN + position * TICK
    return Told("run", run.id, "transition", state, at, run.namespace, run.job, None, run.source, run.actor, body)


def _reported(run: _Run, state: str | None, position: int, rows: int) -> Told:
    at = BEGAN + position * TICK - timedelta(microseconds=position % 2_000_000)
    facets = _PARENT % (run.parent, namespace_of(1), name_of(1)) if run.parent else _ROWS % rows
    body = _EVENT % (at.isoformat(), _TYPES[state], run.id, facets, run.namespace, run.job, position)
    kind = "transition" if state else "facts"
    return Told("run", run.id, kind, state, at, run.namespace, run.job, run.parent, run.source, run.actor, body)

"""Generates the events of a ledger of millions: runs of many jobs from several sources, a few of them very long.

Events depend on the position alone, so that every load gives the same ledger and can be resumed. Pure.
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
"""Time from one position to the next; four events at a time are recorded together."""

LONG = {
    50: UUID(int=0x50 << 64 | 7 << 76),
    500: UUID(int=0x500 << 64 | 7 << 76),
    5_000: UUID(int=0x5000 << 64 | 7 << 76),
}
"""Runs that never end: every 50th, 500th and 5,000th position is an event of one of them."""

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


class GeneratedEvent(NamedTuple):
    """An event: the columns of the ledger that its sender determines."""

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
    """What the events of a run have in common."""

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
    """Return a job's name; the lower its number, the more often it runs."""
    return f"etl.load_{job:04}"


def time_of(position: int) -> datetime:
    """Return the time at which a position is recorded."""
    return BEGAN + position // 4 * 4 * TICK


def events(first: int, count: int) -> Iterator[GeneratedEvent]:
    """Yield the events of `count` positions. A run that begins among them also ends among them, if it ends."""
    chance = random.Random(first)
    due: list[tuple[int, int, _Run, str | None]] = []
    beyond = first + count
    for position in range(first, beyond):
        rare = _rare(position)
        if rare is not None:
            yield rare
        elif due and (due[0][0] <= position or len(due) >= beyond - position):
            _, _, run, state = heapq.heappop(due)
            yield _event_of(run, state, position, chance)
        else:
            run = _begin(position, chance)
            state, *rest = _states(run, chance)
            when = position
            for number, following in enumerate(rest):
                when += 1 + int(
                    2 ** (12 * chance.random())
                )  # short and long runs are equally frequent: half a second to half an hour
                heapq.heappush(due, (when, 2 * position + number, run, following))
            yield _event_of(run, state, position, chance)


def _rare(position: int) -> GeneratedEvent | None:
    """Return the event of a position at which one recurs regularly, if it is one."""
    for every, run in LONG.items():
        if position % every == every // 5:
            long_run = _Run(run, namespace_of(1), name_of(1), None, "openlineage", "spark")
            return _lineage_event(long_run, "RUNNING", position, position)
    if position % _DEFINED == 17:
        return _definition(position, "defined", _DEFINITION % position)
    if position % _DELETED == 23:
        return _definition(position, "deleted", None)
    return None


def _definition(position: int, kind: str, body: str | None) -> GeneratedEvent:
    names = namespace_of(position // _DEFINED % JOBS), name_of(position // _DEFINED % JOBS)
    at = BEGAN + position * TICK
    return GeneratedEvent("job", stream_of(*names), kind, None, at, *names, None, "api", "operator", body)


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
    """Return the states that are reported of a run; None is an event without a transition."""
    end = chance.choice(_ENDS)
    if run.source == "api":
        return ["NEW", "RUNNING", *([end] if end else [])]
    facts: list[str | None] = [None] if chance.random() < 0.3 else []
    return ["RUNNING", *facts, *([end] if end else [])]


def _event_of(run: _Run, state: str | None, position: int, chance: random.Random) -> GeneratedEvent:
    if run.source != "api":
        return _lineage_event(run, state, position, chance.getrandbits(20))
    body = _ARGS % (position % 3) if state == "NEW" and position % 3 else None
    if state == "ABORTED" and position % 4 == 0:
        run = run._replace(source="monitor", actor=None)
    at = BEGAN + position * TICK
    return GeneratedEvent(
        "run", run.id, "transition", state, at, run.namespace, run.job, None, run.source, run.actor, body
    )


def _lineage_event(run: _Run, state: str | None, position: int, rows: int) -> GeneratedEvent:
    at = BEGAN + position * TICK - timedelta(microseconds=position % 2_000_000)
    facets = _PARENT % (run.parent, namespace_of(1), name_of(1)) if run.parent else _ROWS % rows
    body = _EVENT % (at.isoformat(), _TYPES[state], run.id, facets, run.namespace, run.job, position)
    kind = "transition" if state else "facts"
    return GeneratedEvent(
        "run", run.id, kind, state, at, run.namespace, run.job, run.parent, run.source, run.actor, body
    )

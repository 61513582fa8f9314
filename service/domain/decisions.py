"""What a command may add to a run's history: one table, of which the first line that matches decides.

docs/architecture.md draws it ("Deciding"); tests/unit/domain/test_decisions.py checks it cell by cell. OpenLineage events are
facts and never come here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from service.domain.event import RunState
from service.domain.run import Created, RunRegisters


class Verdict(Enum):
    """What becomes of a command."""

    APPEND = "append"
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    KEY_REUSED = "key reused"
    HOMELESS = "homeless"
    """The job of a run to be created, or the namespace of a job, is not known."""


class Known(NamedTuple):
    """An event of the stream that has the command's fact already."""

    position: int
    request_digest: bytes | None
    recorded_at: datetime | None = None


class Transition(NamedTuple):
    """A command that reports `state` at time `at`: the caller's, or the moment the request came in."""

    state: RunState
    at: datetime
    request_digest: bytes | None = None


class Line(NamedTuple):
    """A line of the table: the states a command may report, the condition, and what follows."""

    number: int
    states: frozenset[RunState]
    when: Callable[[RunRegisters, Transition], bool]
    then: Verdict


_START = frozenset({RunState.RUNNING})
_END = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.ABORTED})

TABLE = (
    Line(2, _START, lambda run, t: run.terminal is not None and t.at > run.terminal.at, Verdict.CONFLICT),
    Line(3, _START, lambda run, t: run.started_at is not None and t.at >= run.started_at, Verdict.UNCHANGED),
    Line(4, _START, lambda _run, _t: True, Verdict.APPEND),
    Line(5, _END, lambda run, t: run.terminal is not None and run.terminal.state == t.state, Verdict.UNCHANGED),
    Line(6, _END, lambda run, _t: run.terminal is not None, Verdict.CONFLICT),
    Line(7, _END, lambda _run, _t: True, Verdict.APPEND),
)

_BY_STATE = {state: [line for line in TABLE if state in line.states] for state in RunState}


def decide(run: RunRegisters | None, command: Transition, known: Known | None = None) -> Verdict:
    """Judge start, complete, fail or abort against the run as it stands.

    `known` is the event of the command's own fact. A CONFLICT still becomes UNCHANGED where the same state and time
    were recorded under another key; whoever reads the ledger looks for that, as it is seldom needed.
    """
    if known is not None:  # line 0: this very event is recorded
        return _repeated(known, command.request_digest)
    if run is None:  # line 1
        return Verdict.UNKNOWN
    for line in _BY_STATE[command.state]:
        if line.when(run, command):
            return line.then
    raise AssertionError(f"no line of the table is for {command.state}")


class Create(NamedTuple):
    """A command that makes a run: the register it would set, and the digest of what an Idempotency-Key came with."""

    created: Created
    request_digest: bytes | None = None


def decide_create(run: RunRegisters | None, command: Create, known: Known | None = None) -> Verdict:
    """Line 8: the same job and content again changes nothing; other content is a conflict.

    A run first heard of through OpenLineage has no creator yet: it gets one, if the job is the same.
    """
    if known is not None:
        return _repeated(known, command.request_digest)
    if run is None or run.created is None:
        return Verdict.APPEND
    standing, asked = run.created, command.created
    if (standing.namespace, standing.job) != (asked.namespace, asked.job):
        return Verdict.CONFLICT
    if standing.implied:
        return Verdict.APPEND
    same = (standing.args, standing.nominal_start, standing.nominal_end) == (
        asked.args,
        asked.nominal_start,
        asked.nominal_end,
    )
    return Verdict.UNCHANGED if same else Verdict.CONFLICT


def _repeated(known: Known, request_digest: bytes | None) -> Verdict:
    """Without a key the fact itself is the content; with one, what it came with must be the same."""
    return Verdict.UNCHANGED if known.request_digest == request_digest else Verdict.KEY_REUSED

"""Decides what a command adds to the history of a run, a job or a namespace.

A command is an object with `decide(state, known)`. For transitions of runs the rules are a table, of which the first
matching row decides; docs/architecture.md shows it ("Deciding"), and tests/unit/domain/test_decisions.py checks it cell by
cell. OpenLineage events are facts: they are appended without a decision.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple, Protocol

from service.domain.event import DatasetName, RunState
from service.domain.job import JobRegisters
from service.domain.namespace import NamespaceRegisters
from service.domain.registers import StampedDatasets
from service.domain.run import Created, RunRegisters


class Decision(Enum):
    """What becomes of a command."""

    APPEND = "append"
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    KEY_REUSED = "key reused"
    PARENT_UNKNOWN = "parent unknown"
    """The job of a run to be created, or the namespace of a job, is not known."""


class KnownEvent(NamedTuple):
    """An event of the stream that has the command's fact already."""

    position: int
    request_digest: bytes | None
    recorded_at: datetime | None = None


class Command(Protocol):
    """Something a caller wants to add to a stream."""

    def decide(self, state: Any, known: KnownEvent | None = None, /) -> Decision:  # noqa: ANN401  registers of any kind
        """Decide by the stream's registers (None: the stream is empty) and the event that has the command's fact."""


class Transition(NamedTuple):
    """Reports that a run is in `state` since `at`: the time the caller names, or the time the request came in."""

    state: RunState
    at: datetime
    request_digest: bytes | None = None

    def decide(self, run: RunRegisters | None, known: KnownEvent | None = None, /) -> Decision:
        """Decide by the table.

        A CONFLICT still becomes UNCHANGED where the same state and time were recorded under another key. The appender
        looks that up in the ledger, because it is seldom needed.
        """
        if known is not None:  # rule 0: this very event is recorded
            return _repeated(known, self.request_digest)
        if run is None:  # rule 1
            return Decision.UNKNOWN
        for rule in _RULES_BY_STATE[self.state]:
            if rule.when(run, self):
                return rule.then
        raise AssertionError(f"no rule of the table is for {self.state}")


class DecisionRule(NamedTuple):
    """A row of the table: the states a command may report, the condition, and the decision."""

    number: int
    states: frozenset[RunState]
    when: Callable[[RunRegisters, Transition], bool]
    then: Decision


_START = frozenset({RunState.RUNNING})
_END = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.ABORTED})

RULES = (
    DecisionRule(2, _START, lambda run, t: run.terminal is not None and t.at > run.terminal.at, Decision.CONFLICT),
    DecisionRule(3, _START, lambda run, t: run.started_at is not None and t.at >= run.started_at, Decision.UNCHANGED),
    DecisionRule(4, _START, lambda _run, _t: True, Decision.APPEND),
    DecisionRule(
        5, _END, lambda run, t: run.terminal is not None and run.terminal.state == t.state, Decision.UNCHANGED
    ),
    DecisionRule(6, _END, lambda run, _t: run.terminal is not None, Decision.CONFLICT),
    DecisionRule(7, _END, lambda _run, _t: True, Decision.APPEND),
)

_RULES_BY_STATE = {state: [rule for rule in RULES if state in rule.states] for state in RunState}


class Create(NamedTuple):
    """Creates a run: the register it would set, and the digest of the request that came with an Idempotency-Key."""

    created: Created
    request_digest: bytes | None = None

    def decide(self, run: RunRegisters | None, known: KnownEvent | None = None, /) -> Decision:
        """Rule 8: the same job and content again changes nothing; other content is a conflict.

        A run that was first reported through OpenLineage has no creator yet: it gets one, if the job is the same.
        """
        if known is not None:
            return _repeated(known, self.request_digest)
        if run is None or run.created is None:
            return Decision.APPEND
        standing, wanted = run.created, self.created
        if (standing.namespace, standing.job) != (wanted.namespace, wanted.job):
            return Decision.CONFLICT
        if standing.implied:
            return Decision.APPEND
        same = (standing.args, standing.nominal_start, standing.nominal_end) == (
            wanted.args,
            wanted.nominal_start,
            wanted.nominal_end,
        )
        return Decision.UNCHANGED if same else Decision.CONFLICT


class DefineNamespace(NamedTuple):
    """Defines a namespace. Defining it as it is defined already records nothing."""

    owner: str
    description: str | None

    def decide(self, namespace: NamespaceRegisters | None, _known: KnownEvent | None = None, /) -> Decision:
        """Append unless the definition stands already."""
        definition = namespace.definition if namespace and not namespace.hidden else None
        same = definition is not None and (definition.owner, definition.description) == self
        return Decision.UNCHANGED if same else Decision.APPEND


class DefineNamespaceOnce(NamedTuple):
    """Defines a namespace unless it was ever defined or deleted."""

    def decide(self, namespace: NamespaceRegisters | None, known: KnownEvent | None = None, /) -> Decision:
        """Append where nobody has defined or deleted the namespace."""
        touched = namespace is not None and (namespace.definition is not None or namespace.hidden)
        return Decision.UNCHANGED if known is not None or touched else Decision.APPEND


class DefineJob(NamedTuple):
    """Defines a job. Defining it as it is defined already records nothing."""

    type: str
    location: str | None
    description: str | None
    inputs: tuple[DatasetName, ...]
    outputs: tuple[DatasetName, ...]

    def decide(self, job: JobRegisters | None, _known: KnownEvent | None = None, /) -> Decision:
        """Append unless the definition and both lists of datasets stand already."""
        definition = job.definition if job and not job.hidden else None
        if job is None or definition is None:
            return Decision.APPEND
        standing = (
            definition.type,
            definition.location,
            definition.description,
            _datasets(job.inputs),
            _datasets(job.outputs),
        )
        return Decision.UNCHANGED if standing == self else Decision.APPEND


class Delete(NamedTuple):
    """Marks a job or a namespace as deleted."""

    def decide(self, _state: Any, known: KnownEvent | None = None, /) -> Decision:  # noqa: ANN401  of any kind
        """Append unless this very deletion is recorded."""
        return Decision.UNCHANGED if known else Decision.APPEND


def _datasets(stamped: StampedDatasets | None) -> tuple[DatasetName, ...]:
    return stamped.datasets if stamped else ()


def _repeated(known: KnownEvent, request_digest: bytes | None) -> Decision:
    """Without a key the fact itself is the content; with one, the request must be the same."""
    return Decision.UNCHANGED if known.request_digest == request_digest else Decision.KEY_REUSED

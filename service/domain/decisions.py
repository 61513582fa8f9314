"""Decides what a command adds to the history of a run, a job or a namespace.

A command is an object with `decide(state, known)`. For transitions of runs the rules are a table, whose first matching
row decides. docs/architecture.md ("Deciding") shows the table, tests/unit/domain/test_decisions.py checks every cell.
OpenLineage events are facts: they are appended without a decision.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple, Protocol

from service.domain.binding import Binding
from service.domain.event import DatasetName, RunState
from service.domain.job import JobRegisters
from service.domain.namespace import NamespaceRegisters
from service.domain.registers import StampedDatasets
from service.domain.run import Created, RunRegisters
from service.domain.silence import SilentAfter, StampedSilentAfter


class Decision(Enum):
    """The result of a command."""

    APPEND = "append"
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    KEY_REUSED = "key reused"
    PARENT_UNKNOWN = "parent unknown"
    """The job of the run to create, or the namespace of the job, does not exist."""

    OUTSIDE = "outside"
    """The run belongs to namespaces to which the caller's API key is not bound."""

    FULL = "full"
    """The job or dataset has had as many different tags as it may have."""


class KnownEvent(NamedTuple):
    """The event of the stream that has the same fact as the command."""

    position: int
    request_digest: bytes | None
    recorded_at: datetime | None = None


class Command(Protocol):
    """A change of a stream that a caller requests."""

    def decide(self, state: Any, known: KnownEvent | None = None, /) -> Decision:  # noqa: ANN401  registers of any kind
        """Decide from the stream's registers (None: the stream is empty) and the event that has the command's fact."""


class Transition(NamedTuple):
    """Reports that a run is in `state` since `at`: the caller's time, or else the time when the request arrived."""

    state: RunState
    at: datetime
    request_digest: bytes | None = None

    def decide(self, run: RunRegisters | None, known: KnownEvent | None = None, /) -> Decision:
        """Decide by the table.

        The appender turns a CONFLICT into UNCHANGED if the same state and time were recorded under another key. It
        looks that up in the ledger only then, because it is seldom needed.
        """
        if known is not None:  # rule 0: the same event is recorded
            return _decide_repeated(known, self.request_digest)
        if run is None:  # rule 1
            return Decision.UNKNOWN
        for rule in _RULES_BY_STATE[self.state]:
            if rule.when(run, self):
                return rule.then
        raise AssertionError(f"the table has no rule for {self.state}")


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
    DecisionRule(
        3,
        _START,
        lambda run, t: run.started_at is not None and t.at >= run.started_at and not run.is_inferred,
        Decision.UNCHANGED,
    ),
    DecisionRule(4, _START, lambda _run, _t: True, Decision.APPEND),
    DecisionRule(
        5, _END, lambda run, t: run.terminal is not None and run.terminal.state == t.state, Decision.UNCHANGED
    ),
    DecisionRule(6, _END, lambda run, _t: run.terminal is not None, Decision.CONFLICT),
    DecisionRule(7, _END, lambda _run, _t: True, Decision.APPEND),
)

_RULES_BY_STATE = {state: [rule for rule in RULES if state in rule.states] for state in RunState}


class Create(NamedTuple):
    """Creates a run: the register to set, and the digest of the request if it had an Idempotency-Key."""

    created: Created
    request_digest: bytes | None = None

    def decide(self, run: RunRegisters | None, known: KnownEvent | None = None, /) -> Decision:
        """Decide by rule 8: the same job and content change nothing, other content is a conflict.

        A run that was first reported through OpenLineage has no creator yet; it gets one if the job is the same.
        """
        if known is not None:
            return _decide_repeated(known, self.request_digest)
        if run is None or run.created is None:
            return Decision.APPEND
        current, requested = run.created, self.created
        if (current.namespace, current.job) != (requested.namespace, requested.job):
            return Decision.CONFLICT
        if current.implied:
            return Decision.APPEND
        same = (current.args, current.nominal_start, current.nominal_end) == (
            requested.args,
            requested.nominal_start,
            requested.nominal_end,
        )
        return Decision.UNCHANGED if same else Decision.CONFLICT


class InferEnd(NamedTuple):
    """Records that a run has ended because nothing was recorded of it since its event at `last_position`."""

    last_position: int

    def decide(self, run: RunRegisters | None, known: KnownEvent | None = None, /) -> Decision:
        """Append if the run is RUNNING and that is its last event still."""
        if run is None:
            return Decision.UNKNOWN
        silent = known is None and run.state is RunState.RUNNING and run.position == self.last_position
        return Decision.APPEND if silent else Decision.UNCHANGED


class Within(NamedTuple):
    """A command on a run by an API key that is bound to namespaces."""

    command: Transition | Create
    binding: Binding

    def decide(self, run: RunRegisters | None, known: KnownEvent | None = None, /) -> Decision:
        """Decide like the command, except for a run that the key may not see."""
        if run is not None and not self.binding.may_see(run):
            return Decision.OUTSIDE
        return self.command.decide(run, known)


class Report(NamedTuple):
    """An OpenLineage event of a run, by an API key that is bound to namespaces: a fact, if the run is theirs."""

    binding: Binding

    def decide(self, run: RunRegisters | None, known: KnownEvent | None = None, /) -> Decision:
        """Append unless the run exists in other namespaces only, or the same event is recorded."""
        if run is not None and not self.binding.may_report(run):
            return Decision.OUTSIDE
        return Decision.APPEND if known is None else Decision.UNCHANGED


class DefineNamespace(NamedTuple):
    """Defines a namespace. A repeated definition records nothing."""

    owner: str
    description: str | None
    silent_after: SilentAfter | None = None

    def decide(self, namespace: NamespaceRegisters | None, _known: KnownEvent | None = None, /) -> Decision:
        """Append unless the current definition is the same."""
        definition = namespace.definition if namespace and not namespace.hidden else None
        if namespace is None or definition is None:
            return Decision.APPEND
        same = (definition.owner, definition.description) == self[:2]
        return _unchanged_if(same and _is_set(namespace.silent_after, self.silent_after))


class DefineNamespaceOnce(NamedTuple):
    """Defines a namespace unless it was ever defined or deleted."""

    def decide(self, namespace: NamespaceRegisters | None, known: KnownEvent | None = None, /) -> Decision:
        """Append if the namespace was never defined or deleted."""
        changed = namespace is not None and (namespace.definition is not None or namespace.hidden)
        return Decision.UNCHANGED if known is not None or changed else Decision.APPEND


class DefineJob(NamedTuple):
    """Defines a job. A repeated definition records nothing."""

    type: str
    location: str | None
    description: str | None
    inputs: tuple[DatasetName, ...]
    outputs: tuple[DatasetName, ...]
    silent_after: SilentAfter | None = None

    def decide(self, job: JobRegisters | None, _known: KnownEvent | None = None, /) -> Decision:
        """Append unless the current definition and both lists of datasets are the same."""
        definition = job.definition if job and not job.hidden else None
        if job is None or definition is None:
            return Decision.APPEND
        current = (
            definition.type,
            definition.location,
            definition.description,
            _datasets(job.inputs),
            _datasets(job.outputs),
        )
        return _unchanged_if(current == self[:5] and _is_set(job.silent_after, self.silent_after))


class Restore(NamedTuple):
    """Defines a job or a dataset as it was, because its namespace was deleted since: the event brings it back."""

    def decide(self, _state: Any, known: KnownEvent | None = None, /) -> Decision:  # noqa: ANN401  of any kind
        """Append unless the same definition is recorded."""
        return Decision.APPEND if known is None else Decision.UNCHANGED


class Delete(NamedTuple):
    """Marks a job, a namespace or a dataset as deleted. A repeated deletion records nothing."""

    def decide(self, state: Any, known: KnownEvent | None = None, /) -> Decision:  # noqa: ANN401  of any kind
        """Append unless it is deleted, and was not named since."""
        return _unchanged_if(known is not None or (state is not None and state.hidden))


def _is_set(current: StampedSilentAfter | None, wanted: SilentAfter | None) -> bool:
    """Return whether a setting is as a definition wants it; one that names none leaves it as it is."""
    return wanted is None or wanted.seconds == (current.seconds if current else None)


def _unchanged_if(same: bool) -> Decision:  # noqa: FBT001  the only argument
    return Decision.UNCHANGED if same else Decision.APPEND


def _datasets(stamped: StampedDatasets | None) -> tuple[DatasetName, ...]:
    return stamped.datasets if stamped else ()


def _decide_repeated(known: KnownEvent, request_digest: bytes | None) -> Decision:
    """Without an Idempotency-Key the fact is the content; with one, the digests of the requests must be equal."""
    return Decision.UNCHANGED if known.request_digest == request_digest else Decision.KEY_REUSED

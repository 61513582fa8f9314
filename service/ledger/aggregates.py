"""The three types of aggregates whose state is kept in registers, and the functions on their registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from service.domain.erasure import Stamp, job_without, namespace_without, run_without
from service.domain.event import Event, Subject
from service.domain.job import JobDefinition, JobRegisters, job_registers_of, merge_jobs
from service.domain.namespace import NamespaceDefinition, NamespaceRegisters, merge_namespaces, namespace_registers_of
from service.domain.payload import PayloadContent
from service.domain.run import RunRegisters, apply_event, merge_runs, run_registers_of
from service.ledger.stored_registers import unpack_job, unpack_namespace, unpack_run


class AggregateType(NamedTuple):
    """A type of aggregate: its table in the catalog, and the functions on its registers.

    `from_event` returns the registers of one event, `merge` those of two parts of a history, `apply` registers merged
    with an event, and `without` registers without the values of an erased payload.
    """

    table: str
    unpack: Callable[[bytes], Any]
    from_event: Callable[[Event, PayloadContent], Any]
    merge: Callable[[Any, Any], Any]
    apply: Callable[[Any, Event, PayloadContent], Any]
    without: Callable[[Any, Stamp], Any]

    def next_state(self, registers: Any, event: Event, decoded: PayloadContent) -> Any:  # noqa: ANN401  of any type
        """Return a stream's registers after an event; before its first event they are None."""
        return self.from_event(event, decoded) if registers is None else self.apply(registers, event, decoded)


def _run_of(event: Event, decoded: PayloadContent) -> RunRegisters:
    return run_registers_of(event, decoded.content)


def _apply_to_run(run: RunRegisters, event: Event, decoded: PayloadContent) -> RunRegisters:
    return apply_event(run, event, decoded.content)


def _job_of(event: Event, decoded: PayloadContent) -> JobRegisters:
    definition = decoded.definition if isinstance(decoded.definition, JobDefinition) else None
    return job_registers_of(event, decoded.content, definition, decoded.silent_after, decoded.tags)


def _apply_to_job(job: JobRegisters, event: Event, decoded: PayloadContent) -> JobRegisters:
    return merge_jobs(job, _job_of(event, decoded))


def _namespace_of(event: Event, decoded: PayloadContent) -> NamespaceRegisters:
    definition = decoded.definition if isinstance(decoded.definition, NamespaceDefinition) else None
    return namespace_registers_of(event, definition, decoded.silent_after)


def _apply_to_namespace(namespace: NamespaceRegisters, event: Event, decoded: PayloadContent) -> NamespaceRegisters:
    return merge_namespaces(namespace, _namespace_of(event, decoded))


AGGREGATES = {
    Subject.RUN: AggregateType("runs", unpack_run, _run_of, merge_runs, _apply_to_run, run_without),
    Subject.JOB: AggregateType("jobs", unpack_job, _job_of, merge_jobs, _apply_to_job, job_without),
    Subject.NAMESPACE: AggregateType(
        "namespaces",
        unpack_namespace,
        _namespace_of,
        merge_namespaces,
        _apply_to_namespace,
        namespace_without,
    ),
}
"""By subject. Datasets, keys and the ledger itself have streams without registers."""

"""The types of aggregates whose state is kept in registers, and the functions on their registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from service.domain.dataset import DatasetRegisters, Role, dataset_registers_of, merge_datasets
from service.domain.dataset_definitions import DatasetDefinition, SourceDefinition, TagDefinition
from service.domain.erasure import (
    Stamp,
    dataset_without,
    job_without,
    namespace_without,
    run_without,
    source_without,
    tag_without,
)
from service.domain.event import API, DatasetName, Event, Subject
from service.domain.job import JobDefinition, JobRegisters, job_registers_of, merge_jobs
from service.domain.namespace import NamespaceDefinition, NamespaceRegisters, merge_namespaces, namespace_registers_of
from service.domain.payload import PayloadContent
from service.domain.run import RunRegisters, apply_event, merge_runs, run_registers_of
from service.domain.sources_and_tags import (
    SourceRegisters,
    TagRegisters,
    merge_sources,
    merge_tag_registers,
    source_registers_of,
    tag_registers_of,
)
from service.ledger.stored_lineage import unpack_dataset, unpack_source, unpack_tag
from service.ledger.stored_registers import unpack_job, unpack_namespace, unpack_run


class AggregateType(NamedTuple):
    """A type of aggregate: its table in the catalog, and the functions on its registers.

    `from_event` returns the registers of one event, `merge` those of two parts of a history, `apply` registers merged
    with an event, and `without` registers without the values of an erased payload. `has_versions`: the position is part
    of the table's key, and the newest version of a row is found first.
    """

    table: str
    unpack: Callable[[bytes], Any]
    from_event: Callable[[Event, PayloadContent], Any]
    merge: Callable[[Any, Any], Any]
    apply: Callable[[Any, Event, PayloadContent], Any]
    without: Callable[[Any, Stamp], Any]
    has_versions: bool = True

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


def _dataset_of(event: Event, decoded: PayloadContent) -> DatasetRegisters:
    """Return what a command tells of a dataset; what facets tell, only the projection of datasets reads."""
    definition = decoded.definition if isinstance(decoded.definition, DatasetDefinition) else None
    name = decoded.dataset or DatasetName(event.namespace or "", "")
    role = Role.COMMAND if event.source == API else Role.DATASET_EVENT
    return dataset_registers_of(event, name, role, definition=definition, tags=decoded.tags)


def _apply_to_dataset(dataset: DatasetRegisters, event: Event, decoded: PayloadContent) -> DatasetRegisters:
    return merge_datasets(dataset, _dataset_of(event, decoded))


def _source_of(event: Event, decoded: PayloadContent) -> SourceRegisters:
    definition = decoded.definition if isinstance(decoded.definition, SourceDefinition) else None
    return source_registers_of(event, definition.name if definition else "", definition)


def _apply_to_source(source: SourceRegisters, event: Event, decoded: PayloadContent) -> SourceRegisters:
    return merge_sources(source, _source_of(event, decoded))


def _tag_of(event: Event, decoded: PayloadContent) -> TagRegisters:
    definition = decoded.definition if isinstance(decoded.definition, TagDefinition) else None
    return tag_registers_of(event, definition.name if definition else "", definition)


def _apply_to_tag(tag: TagRegisters, event: Event, decoded: PayloadContent) -> TagRegisters:
    return merge_tag_registers(tag, _tag_of(event, decoded))


CATALOG_AGGREGATES = {
    Subject.RUN: AggregateType("runs", unpack_run, _run_of, merge_runs, _apply_to_run, run_without, has_versions=False),
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
"""Those of the catalog, by subject."""

AGGREGATES = {
    **CATALOG_AGGREGATES,
    Subject.DATASET: AggregateType(
        "datasets", unpack_dataset, _dataset_of, merge_datasets, _apply_to_dataset, dataset_without
    ),
    Subject.SOURCE: AggregateType(
        "sources", unpack_source, _source_of, merge_sources, _apply_to_source, source_without
    ),
    Subject.TAG: AggregateType("tags", unpack_tag, _tag_of, merge_tag_registers, _apply_to_tag, tag_without),
}
"""By subject. Keys and the ledger itself have streams without registers."""

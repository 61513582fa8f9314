"""The three subjects that have registers, each with how to unpack, make and merge them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from service.domain.erasure import Stamp, job_without, namespace_without, run_without
from service.domain.job import (
    JobDefinition,
    NamespaceDefinition,
    job_registers_of,
    merge_jobs,
    merge_namespaces,
    namespace_registers_of,
)
from service.domain.run import NO_CONTENT, Content, Event, Subject, merge, registers_of
from service.ledger import registers


class Said(NamedTuple):
    """What an event's payload says, read once."""

    content: Content
    definition: JobDefinition | NamespaceDefinition | None = None


NOTHING_SAID = Said(NO_CONTENT)


class Shape(NamedTuple):
    """A subject's registers: the catalog's table, and the functions on them."""

    catalog: str
    unpack: Callable[[bytes], Any]
    of: Callable[[Event, Said], Any]
    merge: Callable[[Any, Any], Any]
    without: Callable[[Any, Stamp], Any]


SHAPES = {
    Subject.RUN: Shape(
        "runs",
        registers.unpack_run,
        lambda event, said: registers_of(event, said.content),
        merge,
        run_without,
    ),
    Subject.JOB: Shape(
        "jobs",
        registers.unpack_job,
        lambda event, said: job_registers_of(
            event, said.content, said.definition if isinstance(said.definition, JobDefinition) else None
        ),
        merge_jobs,
        job_without,
    ),
    Subject.NAMESPACE: Shape(
        "namespaces",
        registers.unpack_namespace,
        lambda event, said: namespace_registers_of(
            event, said.definition if isinstance(said.definition, NamespaceDefinition) else None
        ),
        merge_namespaces,
        namespace_without,
    ),
}

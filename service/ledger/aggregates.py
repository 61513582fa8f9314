"""The three subjects that have registers, each with how to unpack, make and merge them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from service.domain.erasure import Stamp, job_without, namespace_without, run_without
from service.domain.event import Event, Subject
from service.domain.job import JobDefinition, JobRegisters, job_registers_of, merge_jobs
from service.domain.namespace import NamespaceDefinition, NamespaceRegisters, merge_namespaces, namespace_registers_of
from service.domain.payload import PayloadContent
from service.domain.run import RunRegisters, merge_runs, run_registers_of

_encode = msgspec.msgpack.Encoder().encode


pack_registers = _encode


unpack_run = msgspec.msgpack.Decoder(RunRegisters).decode


unpack_job = msgspec.msgpack.Decoder(JobRegisters).decode


unpack_namespace = msgspec.msgpack.Decoder(NamespaceRegisters).decode


class AggregateType(NamedTuple):
    """A subject's registers: the catalog's table, and the functions on them."""

    table: str
    unpack: Callable[[bytes], Any]
    from_event: Callable[[Event, PayloadContent], Any]
    merge: Callable[[Any, Any], Any]
    without: Callable[[Any, Stamp], Any]


AGGREGATES = {
    Subject.RUN: AggregateType(
        "runs",
        unpack_run,
        lambda event, decoded: run_registers_of(event, decoded.content),
        merge_runs,
        run_without,
    ),
    Subject.JOB: AggregateType(
        "jobs",
        unpack_job,
        lambda event, decoded: job_registers_of(
            event, decoded.content, decoded.definition if isinstance(decoded.definition, JobDefinition) else None
        ),
        merge_jobs,
        job_without,
    ),
    Subject.NAMESPACE: AggregateType(
        "namespaces",
        unpack_namespace,
        lambda event, decoded: namespace_registers_of(
            event, decoded.definition if isinstance(decoded.definition, NamespaceDefinition) else None
        ),
        merge_namespaces,
        namespace_without,
    ),
}

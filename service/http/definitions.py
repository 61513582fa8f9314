"""Creates runs; defines, finds and deletes namespaces and jobs.

A definition or deletion is in the catalog when its function returns.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from service.catalog.queries import JobItem
from service.domain import timestamps
from service.domain.binding import Binding
from service.domain.decisions import Create, Decision, DefineJob, DefineNamespace, Delete, Restore
from service.domain.draft import Target, job_target, namespace_target
from service.domain.event import Subject
from service.domain.ids import job_id, namespace_id, uuid7, uuid_of_key
from service.domain.namespace import NamespaceRegisters
from service.errors import Malformed, OutsideNamespaces
from service.http.json_bodies import read_create_run, read_put_job, read_put_namespace
from service.http.permissions import check_read, check_write, restricted
from service.http.resources import Resources, settle_lineage, wait_for_catalog
from service.ledger import drafts
from service.ledger.batch import AppendResult
from service.ledger.drafts import Caller, created_register
from service.not_found import JobNotFound, NamespaceNotFound
from service.payloads.contents import job_content, namespace_content
from service.payloads.run_ids import parse_uuid


async def define_namespace(resources: Resources, namespace: str, body: bytes, caller: Caller) -> AppendResult:
    """Define a namespace by the body of a PUT. Raises Malformed, Invalid or OutsideNamespaces."""
    check_write(caller, namespace)
    fields = read_put_namespace(body)
    at = timestamps.now()
    content = namespace_content(fields, at, drafts.short_digest("namespace", at.isoformat(), body))
    draft = drafts.definition(namespace_target(namespace), at, body, content, caller)
    command = DefineNamespace(fields.ownerName, fields.description, content.silent_after)
    return await _in_catalog(resources, await resources.appender.command(draft, command))


async def find_namespace(resources: Resources, namespace: str, binding: Binding | None) -> NamespaceRegisters:
    """Return a namespace, also a deleted one. Raises NamespaceNotFound."""
    check_read(binding, namespace)
    registers = await resources.namespaces.find(namespace)
    if registers is None:
        await settle_lineage(resources)  # an event that was recorded a moment ago may have named a dataset of it
        registers = await resources.namespaces.find(namespace)
    if registers is None:
        raise NamespaceNotFound(namespace)
    return registers


async def delete_namespace(
    resources: Resources, namespace: str, caller: Caller
) -> tuple[NamespaceRegisters, AppendResult]:
    """Delete a namespace, and return it as it was, and the result. Raises NamespaceNotFound or OutsideNamespaces."""
    check_write(caller, namespace)
    await resources.catalog.wait_until_current()
    registers = await find_namespace(resources, namespace, caller.binding)
    return registers, await _delete(resources, namespace_target(namespace), caller)


async def define_job(resources: Resources, namespace: str, job: str, body: bytes, caller: Caller) -> AppendResult:
    """Define a job by the body of a PUT. Raises Malformed, Invalid, NamespaceNotFound or OutsideNamespaces."""
    check_write(caller, namespace)
    fields = read_put_job(body)
    at = timestamps.now()
    content = job_content(fields, at, drafts.short_digest("job", at.isoformat(), body))
    draft = drafts.definition(job_target(namespace, job), at, body, content, caller)
    inputs, outputs = content.content.inputs or (), content.content.outputs or ()
    command = DefineJob(fields.type, fields.location, fields.description, inputs, outputs, content.silent_after)
    result = await resources.appender.command_below(draft, command, (Subject.NAMESPACE, namespace_id(namespace)))
    if result.decision is Decision.PARENT_UNKNOWN:
        await find_namespace(resources, namespace, caller.binding)  # it may have datasets only
        result = await resources.appender.command(draft, command)
    if result.decision is Decision.UNCHANGED:
        await resources.catalog.wait_until_current()
        if await resources.queries.job(namespace, job, caller.binding) is None:  # deleted with its namespace
            result = await resources.appender.command(draft, Restore())
    return await _in_catalog(resources, result)


async def find_job(resources: Resources, namespace: str, job: str, binding: Binding | None) -> JobItem:
    """Return a job. Raises NamespaceNotFound, and JobNotFound also for a deleted job."""
    check_read(binding, namespace)
    item = await resources.queries.job(namespace, job, binding)
    if item is None:
        await find_namespace(resources, namespace, binding)
        raise JobNotFound(job)
    return item


async def delete_job(resources: Resources, namespace: str, job: str, caller: Caller) -> tuple[JobItem, AppendResult]:
    """Delete a job, and return it as it was, and the result.

    Raises NamespaceNotFound, JobNotFound or OutsideNamespaces.
    """
    check_write(caller, namespace)
    await resources.catalog.wait_until_current()
    item = await find_job(resources, namespace, job, caller.binding)
    return item, await _delete(resources, job_target(namespace, job), caller)


class CreatedRun(NamedTuple):
    """The id of a run, and what became of its creation."""

    id: UUID
    result: AppendResult


async def create_run(resources: Resources, namespace: str, job: str, body: bytes, caller: Caller) -> CreatedRun:
    """Create a run by the body of a POST. Raises Malformed, Invalid, NamespaceNotFound, JobNotFound, OutsideNamespaces.

    The id is the one that the body names, or follows from the Idempotency-Key, or is new.
    """
    check_write(caller, namespace)
    fields, content = read_create_run(body)
    run_id = _run_id(fields.id, (namespace, job), caller)
    draft = drafts.new_run(run_id, (namespace, job), timestamps.now(), body, content, caller)
    command = restricted(caller, Create(created_register(draft), draft.request_digest))
    parent = (Subject.JOB, job_id(namespace, job))
    new_stream = fields.id is None and caller.key is None
    result = await resources.appender.command_below(draft, command, parent, new_stream=new_stream)
    if result.decision is Decision.OUTSIDE:
        raise OutsideNamespaces.of_run(str(run_id))
    if result.decision is Decision.PARENT_UNKNOWN:
        await find_namespace(resources, namespace, caller.binding)
        raise JobNotFound(job)
    return CreatedRun(run_id, result)


def _run_id(given: str | None, names: tuple[str, str], caller: Caller) -> UUID:
    if given is None:
        return uuid7() if caller.key is None else uuid_of_key(caller.actor or "", *names, caller.key)
    run_id = parse_uuid(given)
    if run_id is None:
        raise Malformed(f"id {given[:64]!r} is not a UUID")
    return run_id


async def _delete(resources: Resources, target: Target, caller: Caller) -> AppendResult:
    draft = drafts.deletion(target, timestamps.now(), caller)
    return await _in_catalog(resources, await resources.appender.command(draft, Delete()))


async def _in_catalog(resources: Resources, result: AppendResult) -> AppendResult:
    """Return the result when the catalog holds its event."""
    await wait_for_catalog(resources, result)
    return result

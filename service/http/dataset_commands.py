"""Defines and deletes datasets, sources and tags, and changes tags of datasets and jobs."""

from __future__ import annotations

from service.domain import timestamps
from service.domain.dataset_decisions import ChangeTag, DefineDataset, DefineSource, DefineTag
from service.domain.dataset_definitions import DatasetDefinition, SourceDefinition
from service.domain.decisions import Command, Decision, Delete, Restore
from service.domain.draft import Draft, dataset_target, job_target, source_target, tag_target
from service.domain.event import DatasetName, Subject
from service.domain.ids import source_id
from service.domain.tags import MAX_FIELD_TAGS, MAX_TAGS, TagChange
from service.errors import Invalid
from service.http.dataset_reads import wait_until_current
from service.http.definitions import find_namespace
from service.http.json_bodies import read_put_dataset, read_put_source, read_put_tag
from service.http.permissions import check_write, visible
from service.http.resources import Resources
from service.ledger import drafts
from service.ledger.batch import AppendResult
from service.ledger.drafts import Caller
from service.not_found import RunNotFound, SourceNotFound
from service.payloads import command_records
from service.payloads.run_ids import parse_uuid
from service.payloads.schemas import PutDataset


async def define_source(resources: Resources, name: str, body: bytes, caller: Caller) -> AppendResult:
    """Define a source by the body of a PUT. The result has its registers. Raises Malformed or Invalid."""
    fields = read_put_source(body)
    at = timestamps.now()
    content = command_records.source_content(name, fields, at, drafts.short_digest("source", at.isoformat(), body))
    assert isinstance(content.definition, SourceDefinition)  # noqa: S101  what source_content makes
    payload = command_records.write_source(name, body)
    draft = drafts.definition(source_target(name), at, payload, content, caller)
    return await resources.appender.command(draft, DefineSource(content.definition))


async def define_tag(resources: Resources, name: str, body: bytes, caller: Caller) -> AppendResult:
    """Define a tag by the body of a PUT. The result has its registers. Raises Malformed or Invalid."""
    fields = read_put_tag(body)
    at = timestamps.now()
    content = command_records.tag_content(name, fields, at, drafts.short_digest("tag", at.isoformat(), body))
    draft = drafts.definition(tag_target(name), at, command_records.write_tag(name, body), content, caller)
    return await resources.appender.command(draft, DefineTag(fields.description))


async def define_dataset(resources: Resources, dataset: DatasetName, body: bytes, caller: Caller) -> AppendResult:
    """Define a dataset by the body of a PUT.

    Raises Malformed, Invalid, NamespaceNotFound, SourceNotFound, RunNotFound or OutsideNamespaces.
    """
    check_write(caller, dataset.namespace)
    fields = read_put_dataset(body)
    await find_namespace(resources, dataset.namespace, caller.binding)
    await _check_run(resources, fields, caller)
    at = timestamps.now()
    content = command_records.dataset_content(
        dataset, fields, at, drafts.short_digest("dataset", at.isoformat(), *dataset, body)
    )
    assert isinstance(content.definition, DatasetDefinition)  # noqa: S101  what dataset_content makes
    payload = command_records.write_dataset(dataset, body)
    draft = drafts.definition(dataset_target(dataset), at, payload, content, caller)
    command = DefineDataset(content.definition, content.tags)
    result = _checked(await _append_below_source(resources, draft, command, fields.sourceName, caller))
    if result.decision is Decision.UNCHANGED:
        await wait_until_current(resources)
        if await resources.datasets.find(dataset, caller.binding, None) is None:  # deleted with its namespace
            result = await resources.appender.command(draft, Restore())
    return result


async def _append_below_source(
    resources: Resources, draft: Draft, command: Command, source: str, caller: Caller
) -> AppendResult:
    """Append the definition of a dataset whose source must exist; for a bound key, sources do not exist."""
    if caller.binding is not None:
        return await resources.appender.command(draft, command)
    result = await resources.appender.command_below(draft, command, (Subject.SOURCE, source_id(source)))
    if result.decision is Decision.PARENT_UNKNOWN:
        raise SourceNotFound(source)
    return result


async def _check_run(resources: Resources, fields: PutDataset, caller: Caller) -> None:
    """Raise RunNotFound for a run that is not known, or that the caller's key may not see."""
    if fields.runId is None:
        return
    run = parse_uuid(fields.runId)
    if run is None or visible(caller.binding, await resources.reader.read(run)) is None:
        raise RunNotFound(fields.runId)


async def delete_dataset(resources: Resources, dataset: DatasetName, caller: Caller) -> AppendResult:
    """Mark a dataset as deleted."""
    payload = command_records.write_dataset(dataset)
    draft = drafts.deletion(dataset_target(dataset), timestamps.now(), caller, payload)
    return await resources.appender.command(draft, Delete())


async def change_tag_of_dataset(
    resources: Resources, dataset: DatasetName, change: TagChange, caller: Caller
) -> AppendResult:
    """Add a tag to a dataset or to its field, or remove it. Raises Invalid where it has too many."""
    payload = command_records.write_tag_change(change, dataset)
    draft = drafts.tag_change(dataset_target(dataset), change, timestamps.now(), payload, caller)
    return _checked(await resources.appender.command(draft, ChangeTag(change)))


async def change_tag_of_job(
    resources: Resources, namespace: str, job: str, change: TagChange, caller: Caller
) -> AppendResult:
    """Add a tag to a job, or remove it. Raises Invalid where it has too many."""
    payload = command_records.write_tag_change(change, None)
    draft = drafts.tag_change(job_target(namespace, job), change, timestamps.now(), payload, caller)
    return _checked(await resources.appender.command(draft, ChangeTag(change)))


def _checked(result: AppendResult) -> AppendResult:
    """Return a result. Raises Invalid for a command that would add too many tags."""
    if result.decision is Decision.FULL:
        raise Invalid(
            f"a job or dataset may have {MAX_TAGS:,} different tags over time, and the fields of a dataset"
            f" {MAX_FIELD_TAGS:,} in all; these would be more"
        )
    return result

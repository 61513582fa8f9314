"""The payloads of commands on datasets, sources and tags, and of changes of the tags of jobs.

No column of the ledger holds the name of a dataset, a source or a tag, so these payloads have it, and the body of the
request as it was sent:

    {"dataset": {"namespace", "name"}, "body"}                  a dataset is defined
    {"dataset": {"namespace", "name"}}                          a dataset is deleted
    {"dataset": {"namespace", "name"}, "tag", "field"}          a tag of a dataset, or of its field, is added or removed
    {"source", "body"}, {"tag", "body"}                         a source, a tag is defined
    {"tag"}                                                     a tag of a job is added or removed
"""

from __future__ import annotations

from datetime import datetime

import msgspec
import orjson
from msgspec import UNSET, Struct, UnsetType

from service.domain.dataset_definitions import DatasetDefinition, DatasetField, TagDefinition, define_source
from service.domain.event import NO_CONTENT, DatasetName, Event, Kind, Subject
from service.domain.payload import EMPTY_PAYLOAD, PayloadContent
from service.domain.tags import TagChange
from service.payloads.run_ids import parse_uuid
from service.payloads.schemas import DatasetId, PutDataset, PutSource, PutTag


class _DatasetRecord(Struct):
    dataset: DatasetId
    body: PutDataset | UnsetType = UNSET
    tag: str | UnsetType = UNSET
    field: str | UnsetType = UNSET


class _SourceRecord(Struct):
    source: str
    body: PutSource


class _TagRecord(Struct):
    tag: str
    body: PutTag | UnsetType = UNSET


_decode_dataset = msgspec.json.Decoder(_DatasetRecord).decode
_decode_source = msgspec.json.Decoder(_SourceRecord).decode
_decode_tag = msgspec.json.Decoder(_TagRecord).decode


def write_dataset(dataset: DatasetName, body: bytes = b"") -> bytes:
    """Return the payload that defines a dataset by the body of a PUT; without a body, of its deletion."""
    named = orjson.dumps(dataset._asdict())
    return b'{"dataset":%b,"body":%b}' % (named, body) if body else b'{"dataset":%b}' % named


def write_source(name: str, body: bytes) -> bytes:
    """Return the payload that defines a source by the body of a PUT."""
    return b'{"source":%b,"body":%b}' % (orjson.dumps(name), body)


def write_tag(name: str, body: bytes) -> bytes:
    """Return the payload that defines a tag by the body of a PUT."""
    return b'{"tag":%b,"body":%b}' % (orjson.dumps(name), body)


def write_tag_change(change: TagChange, dataset: DatasetName | None) -> bytes:
    """Return the payload of a change of a tag of a dataset or of its field; None: of a job."""
    record: dict[str, object] = {} if dataset is None else {"dataset": dataset._asdict()}
    record["tag"] = change.tag
    return orjson.dumps(record if change.field is None else record | {"field": change.field})


def decode_command(event: Event, payload: bytes) -> PayloadContent:
    """Return the content of the payload of such a command. Raises ValueError."""
    if event.subject == Subject.SOURCE:
        record = _decode_source(payload)
        return source_content(record.source, record.body, event.transitioned_at, event.fact)
    if event.subject == Subject.TAG:
        tag = _decode_tag(payload)
        return tag_content(tag.tag, tag.body or PutTag(), event.transitioned_at, event.fact)
    if event.subject == Subject.DATASET:
        return _decode_dataset_command(event, payload)
    if event.subject == Subject.JOB and event.kind != Kind.DELETED:
        change = TagChange(_decode_tag(payload).tag, event.kind == Kind.TAGGED)
        return PayloadContent(NO_CONTENT, tags=(change,))
    return EMPTY_PAYLOAD


def _decode_dataset_command(event: Event, payload: bytes) -> PayloadContent:
    record = _decode_dataset(payload)
    dataset = DatasetName(record.dataset.namespace, record.dataset.name)
    if record.body is not UNSET:
        return dataset_content(dataset, record.body, event.transitioned_at, event.fact)
    if record.tag is not UNSET:
        change = TagChange(record.tag, event.kind == Kind.TAGGED, record.field or None)
        return PayloadContent(NO_CONTENT, tags=(change,), dataset=dataset)
    return PayloadContent(NO_CONTENT, dataset=dataset)


def dataset_content(dataset: DatasetName, body: PutDataset, at: datetime, fact: bytes) -> PayloadContent:
    """Return the content of a PUT of a dataset."""
    fields = body.fields or ()
    definition = DatasetDefinition(
        at,
        fact,
        body.type,
        body.physicalName,
        body.sourceName,
        tuple([DatasetField(field.name, field.type, field.description) for field in fields]),
        body.description,
        body.schemaLocation,
        parse_uuid(body.runId) if body.runId else None,
    )
    tags = [TagChange(tag, added=True) for tag in body.tags or ()]
    tags += [TagChange(tag, added=True, field=field.name) for field in fields for tag in field.tags or ()]
    return PayloadContent(NO_CONTENT, definition, tags=tuple(tags), dataset=dataset)


def source_content(name: str, body: PutSource, at: datetime, fact: bytes) -> PayloadContent:
    """Return the content of a PUT of a source."""
    return PayloadContent(NO_CONTENT, define_source(at, fact, name, body.type, body.connectionUrl, body.description))


def tag_content(name: str, body: PutTag, at: datetime, fact: bytes) -> PayloadContent:
    """Return the content of a PUT of a tag."""
    return PayloadContent(NO_CONTENT, TagDefinition(at, fact, name, body.description))

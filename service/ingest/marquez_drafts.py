"""Makes drafts of what Marquez's REST API recorded: the commands that would have recorded the same here.

A draft's fact follows from what Marquez has, so a repeated import records nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import orjson

from service.domain.draft import Draft, Target, dataset_target, job_target, namespace_target, source_target, tag_target
from service.domain.event import DatasetName, RunState
from service.domain.tags import TagChange
from service.errors import Invalid
from service.ledger import drafts
from service.ledger.drafts import Caller
from service.payloads import command_records, contents, schemas

ACTOR = "marquez-import"
"""The actor of these events."""

_CALLER = Caller(ACTOR)

Row = Any
"""A row of asyncpg, which has no types."""


class Imported(NamedTuple):
    """What is imported: its kind in the plural, its name in messages, and its drafts, or why there are none."""

    kind: str
    name: str
    drafts: list[Draft]
    problem: str | None = None


def of_namespace(row: Row) -> list[Draft]:
    """Return the definition of a namespace."""
    body = _body(ownerName=row["owner"], description=row["description"])
    fields, at = schemas.decode_put_namespace(body), _utc(row["updated_at"])
    content = contents.namespace_content(fields, at, _fact("namespace", row["name"], body))
    return [drafts.definition(namespace_target(row["name"]), at, body, content, _CALLER)]


def of_source(row: Row) -> list[Draft]:
    """Return the definition of a source; the payload has its URL as Marquez has it, with a password."""
    name = row["name"]
    body = _body(type=row["type"], connectionUrl=row["connection_url"], description=row["description"])
    fields, at = schemas.decode_put_source(body), _utc(row["updated_at"])
    content = command_records.source_content(name, fields, at, _fact("source", name, body))
    payload = command_records.write_source(name, body)
    return [drafts.definition(source_target(name), at, payload, content, _CALLER)]


def of_tag(row: Row) -> list[Draft]:
    """Return the definition of a tag."""
    name, body, at = row["name"], _body(description=row["description"]), _utc(row["updated_at"])
    content = command_records.tag_content(name, schemas.decode_put_tag(body), at, _fact("tag", name, body))
    return [drafts.definition(tag_target(name), at, command_records.write_tag(name, body), content, _CALLER)]


def of_dataset(row: Row) -> list[Draft]:
    """Return the definition of a dataset, without its tags."""
    dataset = DatasetName(row["namespace"], row["name"])
    fields = [
        {key: field[key] for key in ("name", "type", "description") if field.get(key) is not None}
        for field in orjson.loads(row["fields"] or "[]")
    ]
    body = _body(
        type=row["type"],
        physicalName=row["physical_name"],
        sourceName=row["source_name"],
        fields=fields,
        description=row["description"],
        schemaLocation=row["schema_location"],
    )
    read, at = schemas.decode_put_dataset(body), _utc(row["updated_at"])
    content = command_records.dataset_content(dataset, read, at, _fact("dataset", *dataset, body))
    payload = command_records.write_dataset(dataset, body)
    return [drafts.definition(dataset_target(dataset), at, payload, content, _CALLER)]


def of_job(row: Row) -> list[Draft]:
    """Return the definition of a job."""
    body = _body(
        type=row["type"],
        inputs=orjson.loads(row["inputs"]),
        outputs=orjson.loads(row["outputs"]),
        location=row["location"],
        description=row["description"],
    )
    fields, at = schemas.decode_put_job(body), _utc(row["updated_at"])
    content = contents.job_content(fields, at, _fact("job", row["namespace"], row["name"], body))
    return [drafts.definition(job_target(row["namespace"], row["name"]), at, body, content, _CALLER)]


def of_run(row: Row) -> list[Draft]:
    """Return the creation of a run, and the transitions that were reported."""
    names = row["namespace"], row["job"]
    args = orjson.loads(row["args"] or "{}") or {}
    body = _body(
        id=str(row["id"]),
        args={name: value for name, value in args.items() if value is not None},
        nominalStartTime=_text(row["nominal_start_time"]),
        nominalEndTime=_text(row["nominal_end_time"]),
    )
    content = contents.creator_content(schemas.decode_create_run(body))
    created = drafts.new_run(row["id"], names, _utc(row["created_at"]), body, content, _CALLER)
    reports = zip(row["states"], row["times"], strict=True)
    return [created, *_transitions(row, names, reports)]


def _transitions(row: Row, names: tuple[str, str], reports: Iterator[tuple[str, datetime]]) -> Iterator[Draft]:
    for state, at in reports:
        draft = drafts.transition(row["id"], RunState(state), _utc(at), explicit=True, caller=_CALLER)
        yield draft.of_job(*names)


def of_tagged(row: Row) -> list[Draft]:
    """Return the addition of a tag to a job, to a dataset, or to its field."""
    change, at = TagChange(row["tag"], added=True, field=row["field"]), _utc(row["tagged_at"])
    dataset = DatasetName(row["namespace"], row["name"]) if row["kind"] == "dataset" else None
    target = job_target(row["namespace"], row["name"]) if dataset is None else dataset_target(dataset)
    payload = command_records.write_tag_change(change, dataset)
    return [drafts.tag_change(target, change, at, payload, _CALLER)]


def of_hidden(row: Row) -> list[Draft]:
    """Return the deletion of a namespace, a job or a dataset."""
    namespace, name, payload = row["namespace"], row["name"], None
    target: Target = namespace_target(namespace)
    if row["kind"] == "job":
        target = job_target(namespace, name)
    elif row["kind"] == "dataset":
        target = dataset_target(DatasetName(namespace, name))
        payload = command_records.write_dataset(DatasetName(namespace, name))
    return [drafts.deletion(target, _utc(row["updated_at"]), _CALLER, payload)]


KINDS = {
    "namespaces": of_namespace,
    "sources": of_source,
    "tags": of_tag,
    "datasets": of_dataset,
    "jobs": of_job,
    "runs": of_run,
    "tagged": of_tagged,
    "hidden": of_hidden,
}
"""What is read after the events, in this order: the names of the statements, and what makes drafts of their rows."""


def read_row(kind: str, row: Row) -> Imported:
    """Return what is imported of a row."""
    name = " ".join(str(row[part]) for part in ("id", "namespace", "name", "field", "tag") if row.get(part))
    try:
        return Imported(kind, name, KINDS[kind](row))
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError, Invalid) as error:
        return Imported(kind, name, [], str(error) or type(error).__name__)


def _body(**fields: object) -> bytes:
    """Return the body of a request, without the fields that are None."""
    return orjson.dumps({name: value for name, value in fields.items() if value is not None})


def _fact(*parts: str | bytes) -> bytes:
    return drafts.short_digest("marquez", *parts)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _text(at: datetime | None) -> str | None:
    return None if at is None else _utc(at).isoformat()

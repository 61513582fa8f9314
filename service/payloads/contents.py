"""Decodes payloads: the part of an event that the ledger's columns do not hold."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
import orjson
from msgspec import UNSET, Meta, Raw, Struct

from service.domain import timestamps
from service.domain.event import MONITOR, NO_CONTENT, Content, DatasetName, Event, Kind, RunState
from service.domain.job import JobDefinition
from service.domain.namespace import NamespaceDefinition
from service.domain.payload import EMPTY_PAYLOAD, PayloadContent
from service.domain.silence import SilentAfter
from service.payloads.command_records import decode_command
from service.payloads.event_slices import LeftOut, event_from_slices
from service.payloads.records import read_silence
from service.payloads.run_ids import run_uuid
from service.payloads.schemas import (
    CreateRun,
    DatasetId,
    OpenLineageDataset,
    OpenLineageEvent,
    OpenLineageJob,
    OpenLineageRun,
    PutJob,
    PutNamespace,
    decode_create_run,
    decode_event,
    decode_put_job,
    decode_put_namespace,
)

_log = logging.getLogger(__name__)

_NUL = "\\u0000"
"""A NUL character in JSON: names that have one are left out, which event_from_slices does."""


def decode_payload(event: Event, payload: str | None) -> PayloadContent:
    """Decode the payload of an event of the ledger; an archived or erased payload (None) is EMPTY_PAYLOAD.

    A payload that cannot be decoded is EMPTY_PAYLOAD, too, and is logged. Requests are checked so that there should be
    none, but no payload may stop the projector.
    """
    if payload is None:
        return EMPTY_PAYLOAD
    try:
        return _decode(event, payload)
    except (ValueError, RecursionError):
        _log.exception("the payload at position %d cannot be decoded; it is ignored", event.position)
        return EMPTY_PAYLOAD


def _decode(event: Event, payload: str) -> PayloadContent:
    if event.kind == Kind.ERASED:
        return EMPTY_PAYLOAD
    if event.source == "api":
        return _decode_api(event, payload.encode())
    if event.source == MONITOR:
        return PayloadContent(Content(silence=read_silence(payload)))
    if event.subject in ("run", "job"):
        return PayloadContent(lineage_content(read_event(payload)))
    return EMPTY_PAYLOAD


_COMMANDS = (Kind.DEFINED, Kind.DELETED, Kind.TAGGED, Kind.UNTAGGED)


def _decode_api(event: Event, payload: bytes) -> PayloadContent:
    if event.state == RunState.NEW:
        return PayloadContent(creator_content(decode_create_run(payload)))
    if event.kind == Kind.DEFINED and event.subject == "job":
        return job_content(decode_put_job(payload), event.transitioned_at, event.fact)
    if event.kind == Kind.DEFINED and event.subject == "namespace":
        return namespace_content(decode_put_namespace(payload), event.transitioned_at, event.fact)
    return decode_command(event, payload) if event.kind in _COMMANDS else EMPTY_PAYLOAD


def creator_content(body: CreateRun) -> Content:
    """Return the content of a run's creation; the args are strings, ordered by name. Raises ValueError."""
    args = {name: _as_string(raw) for name, raw in (body.args or {}).items()}
    return Content(
        args=orjson.dumps(args, option=orjson.OPT_SORT_KEYS) if args else b"",
        nominal_start=timestamps.parse(body.nominalStartTime) if body.nominalStartTime is not None else None,
        nominal_end=timestamps.parse(body.nominalEndTime) if body.nominalEndTime is not None else None,
    )


def _as_string(raw: Raw) -> str:
    """Return a string's text, and a number or boolean as it was written. Raises ValueError for other values."""
    text = bytes(raw).decode()
    if text.startswith('"'):
        return str(orjson.loads(text))
    if text[0] in "{[n":
        raise ValueError("must be a string, a number or a boolean")
    return text


def job_content(body: PutJob, at: datetime, fact: bytes) -> PayloadContent:
    """Return the content of a PUT of a job."""
    # An event without inputs may just not know them; a definition without inputs means that there are none.
    content = Content(inputs=_names(body.inputs) or (), outputs=_names(body.outputs) or ())
    definition = JobDefinition(at, fact, body.type, body.location, body.description)
    return PayloadContent(content, definition, _silent_after(body))


def namespace_content(body: PutNamespace, at: datetime, fact: bytes) -> PayloadContent:
    """Return the content of a PUT of a namespace."""
    definition = NamespaceDefinition(at, fact, body.ownerName, body.description)
    return PayloadContent(NO_CONTENT, definition, _silent_after(body))


def _silent_after(body: PutJob | PutNamespace) -> SilentAfter | None:
    """Return the setting that a definition has: null is one, too, but a body without the field leaves it as it is."""
    return None if body.silentAfterSeconds is UNSET else SilentAfter(body.silentAfterSeconds)


def _names(datasets: Iterable[DatasetId | OpenLineageDataset] | None) -> tuple[DatasetName, ...] | None:
    """Return the names of datasets, without those that lack one; None if there are none."""
    return tuple([DatasetName(d.namespace, d.name) for d in datasets or () if d.namespace and d.name]) or None


def read_event(text: str) -> OpenLineageEvent:
    """Decode an OpenLineage event that was validated before, also one that msgspec refuses. Raises ValueError."""
    if _NUL in text:
        return event_from_slices(text)
    try:
        return decode_event(text)
    except msgspec.DecodeError:
        return event_from_slices(text)


class _Deletable(Struct):
    deleted: bool = msgspec.field(default=False, name="_deleted")


class _NominalTime(Struct):
    nominalStartTime: str | None = None  # noqa: N815
    nominalEndTime: str | None = None  # noqa: N815


class _ParentRun(Struct):
    runId: Annotated[str, Meta(min_length=1)]  # noqa: N815


class _Parent(Struct):
    run: _ParentRun


_decode_deletable = msgspec.json.Decoder(_Deletable).decode
_decode_nominal = msgspec.json.Decoder(_NominalTime).decode
_decode_parent = msgspec.json.Decoder(_Parent).decode


def lineage_content(event: OpenLineageEvent) -> Content:
    """Return the content of an OpenLineage event, apart from its transition."""
    run_facets = _facets(event.run)
    return Content(
        run_facets=run_facets,
        job_facets=_facets(event.job),
        inputs=_names(event.inputs),
        outputs=_names(event.outputs),
        facet_nominal=_nominal(run_facets.get("nominalTime")),
        starts=event.eventType == "START",
    )


def _facets(part: OpenLineageRun | OpenLineageJob | None) -> dict[str, bytes | None]:
    if part is None or not part.facets:
        return {}
    facets = {name: bytes(raw) for name, raw in part.facets.items()}
    return {
        name: None if b'"_deleted"' in raw and _is_deleted(raw) else raw
        for name, raw in facets.items()
        if raw != b"null"
    }


def _is_deleted(raw: bytes) -> bool:
    try:
        return _decode_deletable(raw).deleted
    except (msgspec.DecodeError, RecursionError):
        return False


def _nominal(raw: bytes | None) -> tuple[datetime | None, datetime | None] | None:
    if raw is None:
        return None
    try:
        facet = _decode_nominal(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    return _time_or_none(facet.nominalStartTime), _time_or_none(facet.nominalEndTime)


def _time_or_none(text: str | None) -> datetime | None:
    """A time that cannot be parsed stays in its facet and sets no register."""
    try:
        return timestamps.parse(text) if text else None
    except ValueError:
        return None


_PARENT_FACETS = ("parent", "parentRun")
"""Names of the facet that names the parent run: OpenLineage's, and that of Prefect's and older integrations."""


def parent_run(event: OpenLineageEvent) -> UUID | None:
    """Return the run that the facet `parent` names, else `parentRun`; None without one, or if both are malformed."""
    facets = event.run.facets if event.run else None
    if not facets:
        return None
    for name in _PARENT_FACETS:
        if name in facets:
            parent = _parent_of(bytes(facets[name]))
            if parent is not None:
                return parent
    return None


def count_unreadable_facets(facets: Mapping[str, Raw], parent: UUID | None, left_out: LeftOut) -> None:
    """Add the facets of a run from which something is derived, and that are ill-formed, to `left_out`.

    `parent` is what parent_run has found.
    """
    if parent is None and any(name in facets and not _tells_nothing(facets[name]) for name in _PARENT_FACETS):
        left_out["facet"] += 1
    nominal = facets.get("nominalTime")
    if nominal is not None and not _tells_nothing(nominal) and not _is_nominal(bytes(nominal)):
        left_out["facet"] += 1


def _tells_nothing(raw: Raw) -> bool:
    """Whether a facet is null, or deletes the one before: it is well-formed without anything else in it."""
    facet = bytes(raw)
    return facet == b"null" or (b'"_deleted"' in facet and _is_deleted(facet))


def _is_nominal(raw: bytes) -> bool:
    """Whether each time of a facet `nominalTime` can be read."""
    try:
        facet = _decode_nominal(raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    times = (facet.nominalStartTime, facet.nominalEndTime)
    return all(_time_or_none(text) is not None for text in times if text is not None)


def _parent_of(raw: bytes) -> UUID | None:
    try:
        return run_uuid(_decode_parent(raw).run.runId)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None

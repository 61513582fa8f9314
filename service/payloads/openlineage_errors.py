"""Finds the errors of an OpenLineage event that the decoder has refused.

Only what an event is recorded by is checked: its time, its type, its producer, and the names of its run and job, or of
the job or dataset that it is about. Other parts that are ill-formed are left out (event_slices.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice

from service.domain import timestamps
from service.errors import FieldError
from service.payloads import raw_json
from service.payloads.schemas import MAX_NAME

Check = Callable[[str, object], Iterator[FieldError]]
Part = Callable[[str, Mapping[str, str]], Iterator[FieldError]]

EVENT_TYPES = ("START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER")

_MAX_SHOWN = 64
_MAX_ERRORS = 100
"""Errors reported for one event."""


def find_errors(text: str, required: frozenset[str], now: datetime) -> list[FieldError]:
    """Return the errors of an event. `required`: the parts that it must have, of run, job and dataset.

    Raises ValueError for a text that is not a JSON object.
    """
    return list(islice(_errors(raw_json.members(text), required, now), _MAX_ERRORS))


def _errors(top: Mapping[str, str], required: frozenset[str], now: datetime) -> Iterator[FieldError]:
    yield from _time("eventTime", _value(top, "eventTime"), now)
    yield from _text("producer", _value(top, "producer"))
    yield from _optional(_event_type, "eventType", _value(top, "eventType"))
    for part, check in (("run", _run), ("job", _job), ("dataset", _dataset)):
        if part in required:
            yield from _object(part, top.get(part, "null"), check)
    if "run" not in required and top.get("run", "null") != "null":
        yield FieldError("run", "contradicts the schemaURL: only a RunEvent is about a run")


_NOT_TEXT = object()
"""Stands for any value that is not a string."""


def _value(members: Mapping[str, str], name: str) -> object:
    raw = members.get(name, "null")
    if raw == "null":
        return None
    return raw_json.value(raw) if raw[0] == '"' else _NOT_TEXT


def _optional(check: Check, field: str, value: object) -> Iterator[FieldError]:
    return iter(()) if value is None else check(field, value)


def _text(field: str, value: object) -> Iterator[FieldError]:
    if not isinstance(value, str):
        yield FieldError(field, "is missing" if value is None else "must be a string")


def _event_type(field: str, value: object) -> Iterator[FieldError]:
    if not isinstance(value, str):
        yield from _text(field, value)
    elif event_type(value) not in EVENT_TYPES:
        yield FieldError(field, f"{_shown(value)} is none of {', '.join(EVENT_TYPES)}")


def event_type(value: str | None) -> str | None:
    """Return an eventType in upper case, if it is one of EVENT_TYPES in letters of either case; else as it is."""
    upper = value.upper() if value is not None and value.isascii() else None
    return upper if upper in EVENT_TYPES else value


def _time(field: str, value: object, now: datetime) -> Iterator[FieldError]:
    if not isinstance(value, str):
        yield from _text(field, value)
        return
    try:
        at = timestamps.parse(value)
    except ValueError as error:
        yield FieldError(field, str(error))
        return
    if timestamps.is_too_far_ahead(at, now):
        yield FieldError(field, timestamps.too_far_ahead(at))


def _object(field: str, raw: str, check: Part) -> Iterator[FieldError]:
    if raw == "null":
        yield FieldError(field, "is missing")
    elif raw[0] != "{":
        yield FieldError(field, "must be an object")
    else:
        yield from check(field, raw_json.members(raw))


def _run(field: str, run: Mapping[str, str]) -> Iterator[FieldError]:
    yield from _name(f"{field}.runId", _value(run, "runId"), max_length=None)


def _job(field: str, job: Mapping[str, str]) -> Iterator[FieldError]:
    yield from _name(f"{field}.namespace", _value(job, "namespace"), max_length=MAX_NAME)
    yield from _name(f"{field}.name", _value(job, "name"), max_length=MAX_NAME)


def _dataset(field: str, dataset: Mapping[str, str]) -> Iterator[FieldError]:
    yield from _name(f"{field}.namespace", _value(dataset, "namespace"), max_length=None)
    yield from _name(f"{field}.name", _value(dataset, "name"), max_length=None)


def _name(field: str, value: object, *, max_length: int | None) -> Iterator[FieldError]:
    if not isinstance(value, str):
        yield from _text(field, value)
    elif not value:
        yield FieldError(field, "must not be empty")
    elif max_length is not None and len(value) > max_length:
        yield FieldError(field, f"must not be longer than {max_length} characters")
    else:
        yield from find_unstorable_characters(field, value)


def find_unstorable_characters(field: str, name: str) -> Iterator[FieldError]:
    """Yield an error for a name with a character that PostgreSQL cannot store, or that UTF-8 cannot encode."""
    if "\0" in name:
        yield FieldError(field, "must not have a NUL character")
    if any("\ud800" <= character <= "\udfff" for character in name):
        yield FieldError(field, "must not have half of a surrogate pair")


def _shown(value: object) -> str:
    shown = ascii(value)
    return shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + "…"

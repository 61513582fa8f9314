"""Reads and checks the JSON bodies and the times that callers send."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

import msgspec

from service.domain import timestamps
from service.domain.event import Content
from service.errors import FieldError, Invalid, Malformed
from service.payloads.contents import creator_content
from service.payloads.raw_json import MAX_DEPTH, too_deep
from service.payloads.schemas import (
    CreateRun,
    LookUpRuns,
    PutJob,
    PutNamespace,
    decode_create_run,
    decode_look_up_runs,
    decode_put_job,
    decode_put_namespace,
)

T = TypeVar("T")


_HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


def _read(body: bytes, decode: Callable[[bytes], T]) -> T:
    if too_deep(body):
        raise Malformed(f"the body is nested deeper than {MAX_DEPTH} levels")
    try:
        text = body.decode()
        decoded = decode(body)
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
    except msgspec.ValidationError as error:
        raise Malformed(_in_the_callers_words(str(error))) from None
    except msgspec.DecodeError as error:
        raise Malformed(_not_json(body, error)) from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None
    if "\\u0000" in text:
        _refuse_nul(msgspec.json.decode(body))
    return decoded


def _not_json(body: bytes, error: msgspec.DecodeError) -> str:
    if not body.strip():
        return "the body is empty"
    if _HALF_A_PAIR.search(body) and "truncated" in str(error):
        return "a text in the body has half of a surrogate pair, which stands for no character"
    return f"the body is not JSON: {error}"


def _refuse_nul(value: object) -> None:
    if isinstance(value, str) and "\0" in value:
        raise Invalid("the body has a NUL character in a text, which cannot be recorded")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for part in value:
            _refuse_nul(part)


def _in_the_callers_words(message: str) -> str:
    """`Expected `str`, got `int` - at `$.ownerName`` is clear but for the dollar."""
    return message.replace(" - at `$.", " at `").replace(" - at `$`", " in the body")


def read_create_run(body: bytes) -> tuple[CreateRun, Content]:
    """Read the body that creates a run; an empty one is {}. Raises Malformed or Invalid."""
    request = _read(body or b"{}", decode_create_run)
    errors = [*_times(request)]
    if errors:
        raise Invalid("; ".join(f"{e.field}: {e.message}" for e in errors), tuple(errors))
    try:
        return request, creator_content(request)
    except ValueError as error:
        raise Malformed(f"args: each value {error}") from None


def _times(request: CreateRun) -> Iterator[FieldError]:
    for field in ("nominalStartTime", "nominalEndTime"):
        text = getattr(request, field)
        try:
            if text is not None:
                timestamps.parse(text)
        except ValueError as error:
            yield FieldError(field, str(error))


def read_put_namespace(body: bytes) -> PutNamespace:
    """Read the body of a PUT of a namespace."""
    return _read(body, decode_put_namespace)


def read_put_job(body: bytes) -> PutJob:
    """Read the body of a PUT of a job."""
    return _read(body, decode_put_job)


def read_look_up(body: bytes) -> LookUpRuns:
    """Read the body that asks for many runs at once."""
    return _read(body, decode_look_up_runs)


def read_time(name: str, text: str, now: datetime | None = None) -> datetime:
    """Read a parameter that is a time; with `now`, refuse one that is too far ahead of it."""
    try:
        at = timestamps.parse(text)
    except ValueError as error:
        raise Malformed(f"parameter {name}: {error}") from None
    if now is not None and timestamps.is_too_far_ahead(at, now):
        raise Invalid(f"parameter {name}: {timestamps.too_far_ahead(at)}")
    return at

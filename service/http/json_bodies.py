"""Reads and checks the JSON bodies that callers send."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar, get_args

import msgspec

from service.domain import timestamps
from service.domain.event import Content
from service.errors import FieldError, Invalid, Malformed
from service.payloads.contents import creator_content
from service.payloads.raw_json import MAX_DEPTH, too_deep
from service.payloads.run_ids import parse_uuid
from service.payloads.schemas import (
    URI,
    URL,
    CreateRun,
    DatasetType,
    JobType,
    LookUpRuns,
    PutDataset,
    PutJob,
    PutNamespace,
    PutSource,
    PutTag,
    decode_create_run,
    decode_look_up_runs,
    decode_put_dataset,
    decode_put_job,
    decode_put_namespace,
    decode_put_source,
    decode_put_tag,
)

T = TypeVar("T")

_URL, _URI = re.compile(URL), re.compile(URI)

_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


def _read(body: bytes, decode: Callable[[bytes], T], types: tuple[str, ...] = ()) -> T:
    """Decode a body; `types` are the values that its field `type` may have, for the error."""
    if too_deep(body):
        raise Malformed(f"the body is nested deeper than {MAX_DEPTH} levels")
    try:
        text = body.decode()
        decoded = decode(body)
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
    except msgspec.ValidationError as error:
        message = _without_dollar(str(error))
        if types and message.startswith("Invalid enum value") and message.endswith("at `type`"):
            message += f": it is none of {', '.join(types)}"
        raise Malformed(message) from None
    except msgspec.DecodeError as error:
        raise Malformed(_describe_failure(body, error)) from None
    except RecursionError:
        raise Malformed("the body is nested too deeply") from None
    if "\\u0000" in text:
        _check_no_nul(msgspec.json.decode(body))
    return decoded


def _describe_failure(body: bytes, error: msgspec.DecodeError) -> str:
    if not body.strip():
        return "the body is empty"
    if _SURROGATE_ESCAPE.search(body) and "truncated" in str(error):
        return "a text in the body has half of a surrogate pair, which encodes no character"
    return f"the body is not JSON: {error}"


def _check_no_nul(value: object) -> None:
    if isinstance(value, str) and "\0" in value:
        raise Invalid("the body has a NUL character in a text, which cannot be recorded")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for part in value:
            _check_no_nul(part)


def _without_dollar(message: str) -> str:
    """Return msgspec's message (`Expected `str`, got `int` - at `$.ownerName``) without its notation for the root."""
    return message.replace(" - at `$.", " at `").replace(" - at `$`", " in the body")


def read_create_run(body: bytes) -> tuple[CreateRun, Content]:
    """Read the body that creates a run; an empty one is {}. Raises Malformed or Invalid."""
    request = _read(body or b"{}", decode_create_run)
    errors = [*_time_errors(request)]
    if errors:
        raise Invalid("; ".join(f"{error.field}: {error.message}" for error in errors), tuple(errors))
    try:
        return request, creator_content(request)
    except ValueError as error:
        raise Malformed(f"args: each value {error}") from None


def _time_errors(request: CreateRun) -> Iterator[FieldError]:
    """Yield an error for each nominal time that cannot be read."""
    for field in ("nominalStartTime", "nominalEndTime"):
        text = getattr(request, field)
        try:
            if text is not None:
                timestamps.parse(text)
        except ValueError as error:
            yield FieldError(field, str(error))


def read_put_namespace(body: bytes) -> PutNamespace:
    """Read the body that defines a namespace. Raises Malformed or Invalid."""
    return _read(body, decode_put_namespace)


def read_put_job(body: bytes) -> PutJob:
    """Read the body that defines a job. Raises Malformed or Invalid."""
    return _read(body, decode_put_job, get_args(JobType))


def read_put_dataset(body: bytes) -> PutDataset:
    """Read the body that defines a dataset. Raises Malformed or Invalid."""
    request = _read(body, decode_put_dataset, get_args(DatasetType))
    if request.runId is not None and parse_uuid(request.runId) is None:
        raise Malformed(f"runId {request.runId[:64]!r} is not a UUID")
    if request.type == "STREAM" and _URL.match(request.schemaLocation or "") is None:
        raise _invalid("schemaLocation", "must be a URL, which a dataset of type STREAM needs")
    return request


def read_put_source(body: bytes) -> PutSource:
    """Read the body that defines a source. Raises Malformed or Invalid."""
    request = _read(body, decode_put_source)
    if _URI.fullmatch(request.connectionUrl) is None:
        raise _invalid("connectionUrl", "must be a URI, which has no spaces or control characters")
    return request


def read_put_tag(body: bytes) -> PutTag:
    """Read the body that defines a tag. Raises Malformed or Invalid."""
    return _read(body, decode_put_tag)


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(f"{field}: {message}", (FieldError(field, message),))


def read_look_up(body: bytes) -> LookUpRuns:
    """Read the body that looks up many runs. Raises Malformed or Invalid."""
    return _read(body, decode_look_up_runs)

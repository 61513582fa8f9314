"""Parameters of requests: each is declared once, with its name, its JSON schema and how its text is read.

A route (service/http/route.py) lists the parameters that it takes. Handlers read their values through
`parameters_of(request)`, and /openapi.json is made from the same objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID

from aiohttp import web

from service.domain import timestamps
from service.domain.event import RunState
from service.errors import Invalid, Malformed
from service.payloads.run_ids import run_uuid
from service.payloads.schemas import STORABLE

T = TypeVar("T")

MAX_LIMIT = 10_000
"""Items in a page of a catalog list."""

MAX_PAGE_EVENTS = 1000
"""Events in a page. The whole ledger is read as a stream of lines."""

MAX_INTEGER = 2**53
"""The largest whole number that every JSON reader takes exactly."""

_MAX_DIGITS = 17
_MAX_KEY = 255


class Location(StrEnum):
    """Where a parameter is sent; the values are those of OpenAPI's `in`."""

    QUERY = "query"
    HEADER = "header"


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Parameter(Generic[T]):
    """A parameter whose value is a T.

    `decode` returns the value of the texts that were given, at least one, and raises Malformed or Invalid. `default` is
    the value where none was given. A parameter that is not `repeatable` may be given once. `hint` says, where a
    required parameter is missing, what it should be.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    decode: Callable[[Sequence[str]], T]
    default: T
    location: Location = Location.QUERY
    required: bool = False
    repeatable: bool = False
    hint: str = ""

    def read(self, request: web.Request) -> T:
        """Return the value that a request has. Raises Malformed or Invalid."""
        given = request.query if self.location is Location.QUERY else request.headers
        texts = given.getall(self.name, ())
        if texts:
            self.check_count(len(texts))
            return self.decode(texts)
        if self.required:
            raise Malformed(f"parameter {self.name} is missing{self.hint and f'; {self.hint}'}")
        return self.default

    def check_count(self, count: int) -> None:
        """Raise Malformed where the parameter is given too often."""
        if count > 1 and not self.repeatable:
            raise Malformed(f"parameter {self.name} is given more than once")


def read_time(name: str, text: str) -> datetime:
    """Return the UTC time of a text. Raises Malformed."""
    try:
        return timestamps.parse(text)
    except ValueError as error:
        raise Malformed(f"parameter {name}: {error}") from None


def time(name: str, description: str, *, of_event: bool = False) -> Parameter[datetime | None]:
    """Declare an ISO 8601 timestamp; the time of an event must not lie too far ahead of the server's clock."""

    def decode(texts: Sequence[str]) -> datetime:
        at = read_time(name, texts[0])
        if of_event and timestamps.is_too_far_ahead(at, timestamps.now()):
            raise Invalid(f"parameter {name}: {timestamps.too_far_ahead(at)}")
        return at

    schema = {"type": "string", **timestamps.JSON_SCHEMA}
    return Parameter(name=name, description=description, schema=schema, decode=decode, default=None)


def check_bounds(name: str, value: int, minimum: int, maximum: int) -> None:
    """Raise Malformed for a whole number out of bounds; both bounds are included."""
    if not minimum <= value <= maximum:
        raise Malformed(f"parameter {name} must be a whole number from {minimum} to {maximum}")


def read_integer(name: str, text: str, minimum: int, maximum: int) -> int:
    """Return the whole number of a text. Raises Malformed for another text, or a number out of bounds."""
    readable = len(text) <= _MAX_DIGITS and text.isascii() and text.removeprefix("-").isdecimal()
    value = int(text) if readable else minimum - 1
    check_bounds(name, value, minimum, maximum)
    return value


def _integer_schema(minimum: int, maximum: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


def integer(name: str, description: str, minimum: int, maximum: int, default: int) -> Parameter[int]:
    """Declare a whole number within bounds, both included."""
    return Parameter(
        name=name,
        description=description,
        schema=_integer_schema(minimum, maximum) | {"default": default},
        decode=lambda texts: read_integer(name, texts[0], minimum, maximum),
        default=default,
    )


def optional_integer(name: str, description: str, minimum: int, maximum: int) -> Parameter[int | None]:
    """Declare a whole number within bounds, both included, that has no fixed default."""
    return Parameter(
        name=name,
        description=description,
        schema=_integer_schema(minimum, maximum),
        decode=lambda texts: read_integer(name, texts[0], minimum, maximum),
        default=None,
    )


def is_recordable(text: str) -> bool:
    """Whether PostgreSQL and UTF-8 can hold a text: without NUL and without lone surrogates."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text))


def text(name: str, description: str) -> Parameter[str | None]:
    """Declare a name that events may carry."""

    def decode(texts: Sequence[str]) -> str:
        if not is_recordable(texts[0]):
            raise Malformed(f"parameter {name} holds a character that cannot be recorded")
        return texts[0]

    schema = {"type": "string", **STORABLE}
    return Parameter(name=name, description=description, schema=schema, decode=decode, default=None)


def run_reference(name: str, description: str, *, required: bool = False) -> Parameter[UUID | None]:
    """Declare the id of a run: a UUID, or any other text that OpenLineage events had as runId."""

    def decode(texts: Sequence[str]) -> UUID:
        if not texts[0] or not is_recordable(texts[0]):
            raise Malformed(f"parameter {name} is not the id of a run")
        return run_uuid(texts[0])

    schema = {"type": "string", "minLength": 1, **STORABLE}
    return Parameter(name=name, description=description, schema=schema, decode=decode, default=None, required=required)


def choice(name: str, description: str, values: Sequence[str], default: str | None = None) -> Parameter[str]:
    """Declare one of several lower-case words, also in upper case; required without a default. `""`: none, optional."""
    known = {form: value for value in values for form in (value, value.upper())}

    def decode(texts: Sequence[str]) -> str:
        value = known.get(texts[0])
        if value is None:
            raise Malformed(f"parameter {name} must be one of {', '.join(values)}")
        return value

    schema: dict[str, Any] = {"type": "string", "enum": sorted(known, key=str.isupper)}
    return Parameter(
        name=name,
        description=description,
        schema=schema | {"default": default} if default else schema,
        decode=decode,
        default=default or "",
        required=default is None,
    )


def choices(name: str, description: str, values: Iterable[str]) -> Parameter[tuple[str, ...] | None]:
    """Declare any of several words: the parameter is repeated, or its words are separated by commas."""
    known = tuple(values)

    def decode(texts: Sequence[str]) -> tuple[str, ...]:
        given = tuple(dict.fromkeys(value for each in texts for value in each.split(",")))
        if not set(given) <= set(known):
            raise Malformed(f"parameter {name} must be one of {', '.join(known)}")
        return given

    return Parameter(
        name=name,
        description=description,
        schema={"type": "array", "items": {"type": "string", "enum": list(known)}},
        decode=decode,
        default=None,
        repeatable=True,
    )


def run_states(name: str, description: str) -> Parameter[tuple[str, ...] | None]:
    """Declare any of the states of a run."""
    return choices(name, description, RunState)


def boolean(name: str, description: str) -> Parameter[bool]:
    """Declare `true` or `false`, which is the default."""
    schema = {"type": "boolean", "default": False}
    return Parameter(name=name, description=description, schema=schema, decode=_decode_boolean(name), default=False)


def marquez_boolean(name: str, description: str) -> Parameter[bool]:
    """Declare `true` or `false`, which is the default; Marquez's Python client writes `True` and `False`."""
    values = {"true": True, "false": False, "True": True, "False": False}

    def decode(texts: Sequence[str]) -> bool:
        if texts[0] not in values:
            raise Malformed(f"parameter {name} must be true or false")
        return values[texts[0]]

    schema = {"type": "string", "enum": list(values), "default": "false"}
    return Parameter(name=name, description=description, schema=schema, decode=decode, default=False)


def optional_boolean(name: str, description: str) -> Parameter[bool | None]:
    """Declare `true` or `false`; None where it is not given."""
    schema = {"type": "boolean"}
    return Parameter(name=name, description=description, schema=schema, decode=_decode_boolean(name), default=None)


def _decode_boolean(name: str) -> Callable[[Sequence[str]], bool]:
    def decode(texts: Sequence[str]) -> bool:
        if texts[0] not in ("true", "false"):
            raise Malformed(f"parameter {name} must be true or false")
        return texts[0] == "true"

    return decode


_PRINTABLE = re.compile("^[ -~]+$")


def _decode_key(texts: Sequence[str]) -> str:
    key = texts[0]
    if len(key) > _MAX_KEY or _PRINTABLE.fullmatch(key) is None:
        raise Malformed(f"the Idempotency-Key must be 1 to {_MAX_KEY} printable characters of ASCII")
    return key


IDEMPOTENCY_KEY: Parameter[str | None] = Parameter(
    name="Idempotency-Key",
    description="Chosen by the caller. The same key with the same content records nothing again.",
    schema={"type": "string", "minLength": 1, "maxLength": _MAX_KEY, "pattern": _PRINTABLE.pattern},
    decode=_decode_key,
    default=None,
    location=Location.HEADER,
)

AT = time("at", "When it happened, as an ISO 8601 timestamp; else now. At most 24 hours ahead.", of_event=True)
LIMIT = integer("limit", "The maximum number of items.", 0, MAX_LIMIT, 100)
PAGE_LIMIT = integer("limit", "The maximum number of items.", 1, MAX_PAGE_EVENTS, 100)
OFFSET = integer("offset", "How many items to skip.", 0, MAX_INTEGER, 0)
ORDER = choice("order", "`desc`: the newest first; `asc`: the oldest first.", ("desc", "asc"), "desc")
NAME_PREFIX = text("name", "Only those whose name begins with this text.")
STALE = boolean(
    "stale",
    "`true`: answer with what the catalog has now, rather than wait until it holds all that was recorded before.",
)

_MAX_AGE = re.compile(r"\s*max-age=(\d{1,9})\s*", re.IGNORECASE)


def _decode_max_age(texts: Sequence[str]) -> int:
    """Return the seconds of the directive; 0 where there is none, whatever else clients and browsers send."""
    directives = [_MAX_AGE.fullmatch(directive) for text in texts for directive in text.split(",")]
    return min((int(each[1]) for each in directives if each), default=0) if all(directives) else 0


MAX_AGE: Parameter[int] = Parameter(
    name="Cache-Control",
    description="`max-age=3`: the answer may be shared with other requests. It has all that was recorded up to so many "
    "seconds before this request, at most 3; without it, up to this request.",
    schema={"type": "string"},
    decode=_decode_max_age,
    default=0,
    location=Location.HEADER,
    repeatable=True,
)

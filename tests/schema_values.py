"""Values at the edges of a JSON schema, inside and outside of it, and which of them it describes.

jsonschema decides; this module only proposes: bounds and their neighbours, members of enums and their variants, texts
that formats and patterns take or refuse, and values of other types.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators

from service.ledger.cursors import PositionCursor, RowCursor, encode_position, encode_row
from service.ledger.events import LOG

Schema = Mapping[str, Any]

NUL, NO_TEXTS = "a\0b", (None, True, 1, 1.5, [], {}, ["a"], {"a": "b"})
TEXTS = (
    "",
    "a",
    " ",
    "null",
    "true",
    "0",
    "a/b",
    "ü",
    "😀",
    "\N{ZERO WIDTH SPACE}",
    "<b>'\"&%41",
    "a\nb",
    NUL,
    "x" * 40,
)
TIMES = (
    "2024-01-02T03:04:05Z",
    "2024-01-02T03:04:05.123456789+02:00",
    "2024-02-29t03:04:05z",
    "2024-01-02 03:04:05,5",
    "2024-01-02T03:04",
    "2024-01-02T03:04:05-0530",
    "2024-01-02T03:04:05+02[Europe/Berlin]",
    "2024-01-02",
    "2024-01-02T03:04:05 [UTC]",
    "2024-01-02T03:04:05[Europe/Berlin]",
    "2023-02-29T00:00:00Z",
    "2024-13-01T00:00:00Z",
    "2024-01-02T24:01:00Z",
    "2024-01-02T03:04:60Z",
    "2024-01-02T03:04:05+24:00",
    "0000-01-01T00:00:00Z",
    "24-01-02T03:04:05Z",
    "2024-W01-1T00:00:00Z",
    "20240102T030405Z",
    "1704164645",
    "now",
    "\uff12\uff10\uff12\uff14-01-02T03:04:05Z",  # digits that are not of ASCII
)
UUIDS = (
    "870492da-ecfb-4be0-91b9-9a89ddd3db90",
    "870492DA-ECFB-4BE0-91B9-9A89DDD3DB90",
    "00000000-0000-0000-0000-000000000000",
    "870492daecfb4be091b99a89ddd3db90",
    "{870492da-ecfb-4be0-91b9-9a89ddd3db90}",
    "870492da-ecfb-4be0-91b9-9a89ddd3db9",
    "870492da-ecfb-4be0-91b9-9a89ddd3db9g",
    "870492d-aecfb-4be0-91b9-9a89ddd3db90",
)
ROW = encode_row(RowCursor(datetime(2024, 1, 2, tzinfo=UTC), UUID(UUIDS[0])))
CURSORS = ("start", "now", encode_position(PositionCursor(LOG, 0)), ROW, "AQAAAAAAAAAAAAAAAA", "x" * 65, "a b")
DATES = ("2024-02-29", "2023-02-29", "2024-13-01", "0000-01-01", "2024-1-1", "20240101", "2024-01-02T03:04:05Z")
NODE_IDS = (
    "job:a:b",
    "dataset:a:b:c",
    "datasetField:a:b:c",
    "datasetField:a:b",
    "job:a",
    "job::b",
    "JOB:a:b",
    "run:a:b",
)
BY_FORMAT = {
    "node-id": NODE_IDS,
    "date-time": TIMES,
    "date": DATES,
    "uuid": UUIDS,
    "cursor": CURSORS,
    "cursor-of-runs": CURSORS,
}

_TIME = re.compile(r"(\d{4}-\d\d-\d\d).(\d\d):(\d\d)(?::(\d\d))?[\d.,]*(?:[+\- ](\d\d))?", re.ASCII)

formats = FormatChecker(formats=())


@formats.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    """Whether the numbers of a time are those of a calendar and a clock; a pattern describes its form."""
    match = _TIME.match(value) if isinstance(value, str) else None
    if match is not None:
        day, hour, minute, second, offset = match.groups(default="00")
        return int(offset) < 24 and bool(datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}+00:00"))
    return not isinstance(value, str)


@formats.checks("date", raises=ValueError)
def _is_date(value: object) -> bool:
    return not isinstance(value, str) or bool(date.fromisoformat(value))


@formats.checks("cursor")
def _is_cursor(value: object) -> bool:
    return value in ("", *CURSORS[:3])


@formats.checks("cursor-of-runs")
def _is_cursor_of_runs(value: object) -> bool:
    return value in ("", "start", ROW)


def _matches(_validator: Any, pattern: str, value: object, _schema: Schema) -> Iterator[ValidationError]:
    """Check a pattern as JSON Schema means it: `$` is the end; for Python, also before a line break there."""
    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


Validator = validators.extend(Draft202012Validator, {"pattern": _matches})


class SchemaValues:
    """Proposes values for the schemas of a document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def describes(self, schema: Schema, value: object) -> bool:
        """Whether a value is one that a schema describes."""
        whole = {**schema, "components": self._document["components"]}
        return Validator(whole, format_checker=formats).is_valid(value)

    def proposed(self, schema: Schema) -> Iterator[Any]:
        """Yield values of JSON at the edges of a schema."""
        schema = self._resolved(schema)
        for alternative in schema.get("anyOf", ()):
            yield from self.proposed(alternative)
        for member in schema.get("enum", ()):
            yield from (member, *((member.lower(), member.upper(), member.title(), f"{member}x") if member else ()))
        for bound in ("minimum", "maximum"):
            if bound in schema:
                yield from (schema[bound] + step for step in (-1, 0, 1))
        yield from self._texts(schema)
        if schema.get("type") == "array":
            yield from self._arrays(schema)
        if schema.get("type") == "object":
            yield from self._objects(schema)
        yield from NO_TEXTS

    def typical(self, schema: Schema) -> Any:
        """Return a value that a schema describes, an object with all of its members."""
        resolved = self._resolved(schema)
        if resolved.get("type") == "object":
            members = {name: self.typical(of) for name, of in resolved.get("properties", {}).items()}
            described = {name: value for name, value in members.items() if value is not None}
            return described if self.describes(schema, described) else members
        return next(value for value in self.proposed(schema) if self.describes(schema, value))

    def _resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            schema = self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    def _texts(self, schema: Schema) -> Iterator[str]:
        if schema.get("type") != "string" and "pattern" not in schema:
            return
        yield from BY_FORMAT.get(schema.get("format", ""), ())
        for length in {schema[name] for name in ("minLength", "maxLength") if name in schema}:
            yield from ("x" * max(0, length - 1), "x" * length, "😀" * length, "x" * (length + 1))
        yield from TEXTS

    def _arrays(self, schema: Schema) -> Iterator[list[Any]]:
        item = self.typical(schema.get("items", {"type": "string"}))
        for length in {
            0,
            1,
            2,
            *(schema[name] + step for name in ("minItems", "maxItems") if name in schema for step in (0, 1)),
        }:
            yield [item] * length
        for value in self.proposed(schema.get("items", {})):
            yield [value]

    def _objects(self, schema: Schema) -> Iterator[dict[str, Any]]:
        whole = self.typical(schema)
        yield whole
        yield {}
        yield whole | {"unheard-of": [1]}
        for name, of in schema.get("properties", {}).items():
            yield {each: value for each, value in whole.items() if each != name}
            for value in self.proposed(of):
                yield whole | {name: value}
        extra = schema.get("additionalProperties")
        if isinstance(extra, Mapping):
            for value in self.proposed(extra):
                yield {"a": value}
            for key in TEXTS:
                yield {key: self.typical(extra)}

    def objects(self, schema: Schema) -> Iterator[tuple[Schema, dict[str, Any]]]:
        """Yield each kind of object that a schema, or the items of an array, may be, and a whole value of it."""
        schema = self._resolved(schema)
        for alternative in schema.get("anyOf", [schema.get("items", {})]):
            yield from self.objects(alternative) if alternative else ()
        if "properties" in schema and schema.get("type") == "object":
            yield schema, self.typical(schema)

"""Reads what is derived from the facets of datasets. Whatever is ill-formed in a facet is left out, not the rest.

Facets are as producers write them: a schema may have fields without a type, with nested fields, or one name twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import orjson
from msgspec import Raw

from service.domain.column_mapping import InputColumn, MappedColumn, MappedColumns, Transformation
from service.domain.connection_urls import hide_passwords
from service.domain.dataset import DatasetFacts
from service.domain.dataset_definitions import DatasetField
from service.domain.event import DatasetName
from service.domain.tags import TagChange
from service.payloads import raw_json

_MAX_TEXT = 64 * 1024
"""Characters of a description, a name or a type that are kept; the facet has all of them."""

_MAX_NAME = 1_024
_MAX_URL = 4_096
_MAX_LINKS = 100
"""Other names of a dataset that one event can tell."""

_RENAME = "RENAME"

_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode


def read_facts(facets: Mapping[str, bytes | None]) -> DatasetFacts:
    """Return what facets tell, by their names; a facet that is None was deleted.

    The URL in the facet `dataSource` is without a password, also in the facet itself.
    """
    facets = _without_password(facets)

    def read(name: str, reader: Callable[[dict[str, Any]], Any]) -> Any:  # noqa: ANN401
        raw = facets.get(name)
        value = None if raw is None else load_json(raw)
        return reader(value) if isinstance(value, dict) else None

    lifecycle = read("lifecycleStateChange", lambda facet: facet)
    state = _text(lifecycle or {}, "lifecycleStateChange")
    source, url = read("dataSource", lambda facet: (_text(facet, "name"), _text(facet, "uri"))) or (None, None)
    links = list(read("symlinks", _links) or ())
    if state == _RENAME and (previous := _dataset((lifecycle or {}).get("previousIdentifier"))) is not None:
        links.append(previous)
    return DatasetFacts(
        facets,
        () if "schema" in facets and facets["schema"] is None else read("schema", read_fields),
        source or None,
        None if url is None else url[:_MAX_URL],
        read("documentation", lambda facet: _text(facet, "description")),
        state,
        tuple(links),
        (*(read("tags", _tags) or ()), *(read("schema", _tags_of_fields) or ())),
        read("columnLineage", _mapping),
    )


def _without_password(facets: Mapping[str, bytes | None]) -> Mapping[str, bytes | None]:
    """Return facets with `***` in place of passwords in the URL of a data source; others as they were received."""
    raw = facets.get("dataSource")
    value = None if raw is None else load_json(raw)
    if raw is None or not isinstance(value, dict) or not isinstance(url := value.get("uri"), str):
        return facets
    hidden = hide_passwords(clean(url))
    if hidden == url and raw.count(b'"uri"') == 1 and b"\\" not in raw:  # else there may be another one
        return facets
    return {**facets, "dataSource": json.dumps(value | {"uri": hidden}).encode()}


def fields_of(schema: bytes) -> tuple[DatasetField, ...]:
    """Return the fields of a `schema` facet."""
    value = load_json(schema)
    return read_fields(value) if isinstance(value, dict) else ()


def description_of(documentation: bytes) -> str | None:
    """Return the description in a `documentation` facet."""
    value = load_json(documentation)
    return _text(value, "description") if isinstance(value, dict) else None


def location_of(location: bytes) -> str | None:
    """Return the URL in a `sourceCodeLocation` facet of a job."""
    value = load_json(location)
    return _text(value, "url") or None if isinstance(value, dict) else None


def tags_of(tags: bytes) -> list[TagChange]:
    """Return the tags in a `tags` facet, of a job or a dataset."""
    value = load_json(tags)
    return list(_tags(value)) if isinstance(value, dict) else []


def load_json(raw: bytes) -> object:
    """Return JSON as objects, None for what is no JSON. Texts have neither NUL nor lone surrogates any more."""
    try:
        return orjson.loads(raw)
    except ValueError:
        pass
    try:
        return json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def clean(text: str) -> str:
    """Return a text as PostgreSQL can store it."""
    if "\0" in text:
        text = text.replace("\0", "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    return clean(value[:_MAX_TEXT]) if isinstance(value, str) else None


def _name(members: Mapping[str, Any], name: str) -> str | None:
    """Return a name, which is not empty."""
    value = members.get(name)
    return value if isinstance(value, str) and value and clean(value) == value else None


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for element in value:
            if isinstance(element, dict):
                yield element


def _dataset(value: object) -> DatasetName | None:
    if not isinstance(value, dict):
        return None
    namespace, name = _name(value, "namespace"), _name(value, "name")
    return None if namespace is None or name is None else DatasetName(namespace, name)


def read_fields(schema: dict[str, Any]) -> tuple[DatasetField, ...]:
    """Return the fields of a schema; of those with one name, the first."""
    fields: dict[str, DatasetField] = {}
    for element in _objects(schema.get("fields")):
        name = _text(element, "name")
        if name and name not in fields:
            fields[name] = DatasetField(name, _text(element, "type"), _text(element, "description"))
    return tuple(fields.values())


def _tags_of_fields(schema: dict[str, Any]) -> Iterator[TagChange]:
    for element in _objects(schema.get("fields")):
        field, tags = _text(element, "name"), element.get("tags")
        if field and isinstance(tags, list):
            for tag in tags:
                if _is_tag(tag):
                    yield TagChange(tag, added=True, field=field)


def _is_tag(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_NAME and clean(value) == value


def _tags(facet: dict[str, Any]) -> Iterator[TagChange]:
    for element in _objects(facet.get("tags")):
        if _is_tag(key := element.get("key")):
            yield TagChange(str(key), added=True, field=_text(element, "field") or None)


def _links(facet: dict[str, Any]) -> list[DatasetName]:
    found = [_dataset(element) for element in _objects(facet.get("identifiers"))]
    return [name for name in found if name is not None][:_MAX_LINKS]


def _mapping(facet: dict[str, Any]) -> MappedColumns:
    fields = facet.get("fields")
    mapped = {}
    for name, value in (fields if isinstance(fields, dict) else {}).items():
        if isinstance(value, dict) and name:
            mapped[clean(name)] = MappedColumn(
                _input_columns(value.get("inputFields")),
                _text(value, "transformationType"),
                _text(value, "transformationDescription"),
            )
    return MappedColumns(mapped, _input_columns(facet.get("dataset")))


def _input_columns(value: object) -> tuple[InputColumn, ...]:
    columns = []
    for element in _objects(value):
        dataset, field = _dataset(element), _text(element, "field")
        if dataset is not None and field:
            columns.append(InputColumn(*dataset, field, tuple(_transformations(element.get("transformations")))))
    return tuple(columns)


def _transformations(value: object) -> Iterator[Transformation]:
    for element in _objects(value):
        masking = element.get("masking")
        yield Transformation(
            _text(element, "type"),
            _text(element, "subtype"),
            _text(element, "description"),
            masking if isinstance(masking, bool) else None,
        )


def facets_in(raw: bytes) -> dict[str, bytes | None]:
    """Return the members of a facets object as bytes: None for one that is deleted; those that are null are left out.

    Empty for what is no object.
    """
    try:
        members = _decode_members(raw)
    except (msgspec.DecodeError, RecursionError):
        return _facets_by_slices(raw)
    return dict(_each_facet({name: bytes(value) for name, value in members.items()}))


def _facets_by_slices(raw: bytes) -> dict[str, bytes | None]:
    try:
        members = raw_json.members(raw.decode())
    except (ValueError, RecursionError):
        return {}
    return dict(_each_facet({name: value.encode() for name, value in members.items()}))


def _each_facet(members: Mapping[str, bytes]) -> Iterator[tuple[str, bytes | None]]:
    for name, value in members.items():
        if value != b"null" and clean(name) == name:
            yield name, None if b'"_deleted"' in value and _is_deleted(value) else value


def _is_deleted(raw: bytes) -> bool:
    value = load_json(raw)
    return isinstance(value, dict) and value.get("_deleted") is True

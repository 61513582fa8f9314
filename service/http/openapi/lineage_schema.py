"""JSON schemas of OpenLineage events as they are accepted, for /openapi.json.

The decoder refuses more than the service does: parts of an event that no transition needs may be ill-formed
(service/payloads/event_slices.py). So the schemas cannot be generated from its types;
tests/integration/http/test_schema.py compares them with the service.
"""

from __future__ import annotations

from typing import Any

from service.domain import timestamps
from service.payloads.openlineage_errors import EVENT_TYPES
from service.payloads.schemas import MAX_NAME, STORABLE

_ANYTHING: dict[str, Any] = {}
"""A part that is left out where it is not as described."""

_NULL = {"type": "null"}
_NAMES = ("RunEvent", "JobEvent", "DatasetEvent")


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _of_type(*names: str) -> dict[str, Any]:
    """Return the schema of a schemaURL that names one of these types of events."""
    return {"type": "string", "pattern": f"(^|/)({'|'.join(names)})$"}


def _either_case(word: str) -> str:
    return "".join(f"[{letter}{letter.lower()}]" for letter in word)


_STORABLE_NAME = {"type": "string", "minLength": 1, **STORABLE}
_NAME = _STORABLE_NAME | {"maxLength": MAX_NAME}
_EVENT_TYPE = {
    "anyOf": [
        {"enum": [*EVENT_TYPES]},
        {"type": "string", "pattern": f"^({'|'.join(map(_either_case, EVENT_TYPES))})$"},
        _NULL,
    ]
}
_DATASETS = {"anyOf": [{"type": "array", "items": _reference("OpenLineageDataset")}, _ANYTHING]}
_FACETS = {"anyOf": [{"type": "object"}, _ANYTHING]}
_COMMON = {
    "eventTime": {"type": "string", **timestamps.JSON_SCHEMA},
    "producer": {"type": "string"},
    "eventType": _EVENT_TYPE,
    "inputs": _DATASETS,
    "outputs": _DATASETS,
    "schemaURL": _ANYTHING,
}


def _event(
    description: str, required: list[str], parts: dict[str, Any], *alternatives: dict[str, Any]
) -> dict[str, Any]:
    schema = {
        "description": description,
        "type": "object",
        "required": ["eventTime", "producer", *required],
        "properties": _COMMON | parts,
    }
    return schema | {"anyOf": [*alternatives]} if alternatives else schema


def _object(description: str, **properties: dict[str, Any]) -> dict[str, Any]:
    required = [name for name in properties if name != "facets"]
    return {"description": description, "type": "object", "required": required, "properties": properties}


COMPONENTS: dict[str, dict[str, Any]] = {
    "OpenLineageEvent": {
        "description": "An event of OpenLineage 2-0-2: its type is named by `schemaURL`, or follows from its content.",
        "anyOf": [_reference(name) for name in _NAMES],
    },
    "RunEvent": _event(
        "A run and its job. `inputs`, `outputs` and facets that are not as described are kept in the event, and left "
        "out of what is derived from it.",
        ["run", "job"],
        {
            "run": _reference("OpenLineageRun"),
            "job": _reference("OpenLineageJob"),
            "schemaURL": {"not": _of_type("JobEvent", "DatasetEvent")},
        },
    ),
    "JobEvent": _event(
        "A job, without a run.",
        ["job"],
        {"run": _NULL, "job": _reference("OpenLineageJob")},
        {"required": ["schemaURL"], "properties": {"schemaURL": _of_type("JobEvent")}},
        {"properties": {"schemaURL": {"not": _of_type(*_NAMES)}, "eventType": _NULL}},
    ),
    "DatasetEvent": _event(
        "A dataset, without a run and a job.",
        ["dataset"],
        {"run": _NULL, "dataset": _reference("OpenLineageDataset")},
        {"required": ["schemaURL"], "properties": {"schemaURL": _of_type("DatasetEvent")}},
        {"properties": {"schemaURL": {"not": _of_type(*_NAMES)}, "eventType": _NULL, "job": _NULL}},
    ),
    "OpenLineageRun": _object("A run.", runId=_STORABLE_NAME, facets=_FACETS),
    "OpenLineageJob": _object("A job.", namespace=_NAME, name=_NAME, facets=_FACETS),
    "OpenLineageDataset": _object("A dataset.", namespace=_STORABLE_NAME, name=_STORABLE_NAME),
}
"""The schemas by their names in the document."""

"""The types of request bodies: msgspec validates by them, and /openapi.json is generated from them.

Fields have the names of OpenLineage and Marquez. Unknown fields are ignored, as in Marquez. What is checked after
decoding is described by keywords of JSON Schema, which msgspec does not check: of a field by `extra_json_schema`, of
fields that depend on each other by `json_schema` of their type. The schema of
OpenLineage events is in service/http/openapi/lineage_schema.py.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from service.domain import timestamps
from service.domain.silence import MAX_SILENT_AFTER_S
from service.payloads.run_ids import UUID_SCHEMA

MAX_NAME = 1024
"""Maximum length of the name of a namespace or job, in characters, as in Marquez."""

STORABLE: dict[str, Any] = {"pattern": "^[^\\u0000]*$"}
"""Keywords of JSON Schema for a text that PostgreSQL can store: without NUL."""

URL = "^[A-Za-z][A-Za-z0-9+.-]*:."
"""The pattern of a URL."""

URI = r"^[^\s\x00-\x1f\x7f]*$"
"""The pattern of a URI of any kind, also of JDBC: neither spaces nor control characters."""

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME, extra_json_schema=STORABLE)]
Text = Annotated[str, Meta(extra_json_schema=STORABLE)]
Time = Annotated[str, Meta(extra_json_schema=timestamps.JSON_SCHEMA)]
Uuid = Annotated[str, Meta(extra_json_schema=UUID_SCHEMA)]
Scalar = Annotated[Raw, Meta(extra_json_schema={"type": ["string", "number", "boolean"], **STORABLE})]
SilentAfterSeconds = Annotated[
    Annotated[int, Meta(ge=0, le=MAX_SILENT_AFTER_S)] | UnsetType | None,
    Meta(
        description="Seconds without an event after which a RUNNING run is recorded as aborted, by inference; 0: never;"
        " null: as the namespace has it, else the service. Without this field, the setting stays as it is."
    ),
]

JobType = Literal["BATCH", "STREAM", "SERVICE"]
DatasetType = Literal["DB_TABLE", "STREAM"]


class CreateRun(Struct):
    """POST /namespaces/{ns}/jobs/{job}/runs. `args`: strings, numbers or booleans, kept as strings."""

    id: Uuid | None = None
    args: dict[Text, Scalar] | None = None
    nominalStartTime: Time | None = None  # noqa: N815  Marquez's name
    nominalEndTime: Time | None = None  # noqa: N815


class PutNamespace(Struct):
    """PUT /namespaces/{ns}."""

    ownerName: Name  # noqa: N815
    description: Text | None = None
    silentAfterSeconds: SilentAfterSeconds = UNSET  # noqa: N815


class DatasetId(Struct):
    """The name of a dataset."""

    namespace: Name
    name: Name


class PutJob(Struct):
    """PUT /namespaces/{ns}/jobs/{job}."""

    type: JobType
    inputs: list[DatasetId]
    outputs: list[DatasetId]
    location: Text | None = None
    description: Text | None = None
    silentAfterSeconds: SilentAfterSeconds = UNSET  # noqa: N815


class PutDatasetField(Struct):
    """A field of a dataset. Tags are added to those that the field has."""

    name: Name
    type: Text | None = None
    tags: list[Name] | None = None
    description: Text | None = None


class PutDataset(Struct):
    """PUT /namespaces/{ns}/datasets/{dataset}. Tags are added; without a description, the old one stays."""

    type: DatasetType
    physicalName: Name  # noqa: N815
    sourceName: Name  # noqa: N815
    schemaLocation: Annotated[Text | None, Meta(description="A URL; required for a STREAM.")] = None  # noqa: N815
    fields: list[PutDatasetField] | None = None
    tags: list[Name] | None = None
    description: Text | None = None
    runId: Annotated[Uuid | None, Meta(description="The run that wrote the dataset.")] = None  # noqa: N815

    json_schema: ClassVar[dict[str, Any]] = {
        "if": {"properties": {"type": {"const": "STREAM"}}},
        "then": {
            "required": ["schemaLocation"],
            "properties": {"schemaLocation": {"type": "string", "pattern": URL}},
        },
    }


class PutSource(Struct):
    """PUT /sources/{source}."""

    type: Name
    connectionUrl: Annotated[  # noqa: N815
        str,
        Meta(
            min_length=1,
            max_length=MAX_NAME,
            description="A URI. It is recorded as sent; answers have `***` in place of passwords.",
            extra_json_schema={"pattern": URI},
        ),
    ]
    description: Text | None = None


class PutTag(Struct):
    """PUT /tags/{tag}. Without a description, the old one stays."""

    description: Text | None = None


class LookUpRuns(Struct):
    """POST /runs/lookup."""

    ids: Annotated[list[Text], Meta(max_length=10_000)]


class OpenLineageRun(Struct):
    """`run` of an OpenLineage RunEvent; facets are kept as the bytes that were received."""

    runId: Annotated[str, Meta(min_length=1)]  # noqa: N815
    facets: dict[str, Raw] | None = None


class OpenLineageJob(Struct):
    """`job` of an OpenLineage RunEvent or JobEvent."""

    namespace: Name
    name: Name
    facets: dict[str, Raw] | None = None


class OpenLineageDataset(Struct):
    """An input, an output, or the `dataset` of a DatasetEvent. One without a name is left out of lineage."""

    namespace: str
    name: str


class OpenLineageEvent(Struct):
    """POST /lineage: a RunEvent, JobEvent or DatasetEvent of OpenLineage 2-0-2."""

    eventTime: str  # noqa: N815
    producer: str
    eventType: Literal["START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER"] | None = None  # noqa: N815
    run: OpenLineageRun | None = None
    job: OpenLineageJob | None = None
    dataset: OpenLineageDataset | None = None
    inputs: list[OpenLineageDataset] | None = None
    outputs: list[OpenLineageDataset] | None = None
    schemaURL: str | None = None  # noqa: N815


decode_create_run = msgspec.json.Decoder(CreateRun).decode
decode_put_namespace = msgspec.json.Decoder(PutNamespace).decode
decode_put_job = msgspec.json.Decoder(PutJob).decode
decode_put_dataset = msgspec.json.Decoder(PutDataset).decode
decode_put_source = msgspec.json.Decoder(PutSource).decode
decode_put_tag = msgspec.json.Decoder(PutTag).decode
decode_look_up_runs = msgspec.json.Decoder(LookUpRuns).decode
decode_event = msgspec.json.Decoder(OpenLineageEvent).decode

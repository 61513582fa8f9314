"""The types of answers about datasets, sources and tags, for /openapi.json only; see responses.py."""

from datetime import datetime

from msgspec import Struct

# ruff: noqa: N815  the names of JSON fields


class Source(Struct, forbid_unknown_fields=True):
    """A source of datasets; passwords in its URL are not shown."""

    type: str
    name: str
    createdAt: datetime
    updatedAt: datetime
    connectionUrl: str
    description: str | None


class Tag(Struct, forbid_unknown_fields=True):
    """A tag."""

    name: str
    description: str | None

"""What a PUT of a dataset, of a source or of a tag defines."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from service.domain.connection_urls import hide_passwords

_CHECK_BYTES = 8


class DatasetField(NamedTuple):
    """A field of a dataset: a column of a table."""

    name: str
    type: str | None
    description: str | None = None


class DatasetDefinition(NamedTuple):
    """The content of a PUT of a dataset, apart from its tags; the latest wins.

    `description`: None keeps the old one. `run`: the run that wrote the dataset, as the caller says.
    """

    at: datetime
    digest: bytes
    type: str
    physical_name: str
    source: str
    fields: tuple[DatasetField, ...]
    description: str | None = None
    schema_location: str | None = None
    run: UUID | None = None


class SourceDefinition(NamedTuple):
    """The content of a PUT of a source, or what a `dataSource` facet says of one; the latest wins.

    `connection_url` has no password; `check` tells whether two of them had the same one.
    """

    at: datetime
    digest: bytes
    name: str
    type: str
    connection_url: str
    description: str | None
    check: bytes


class TagDefinition(NamedTuple):
    """The content of a PUT of a tag; the latest wins. `description`: None keeps the old one."""

    at: datetime
    digest: bytes
    name: str
    description: str | None


def define_source(
    at: datetime, digest: bytes, name: str, type_: str, url: str, description: str | None
) -> SourceDefinition:
    """Return what defines a source. Its URL may have a password."""
    check = sha256(f"{len(name)}:{name}:{url}".encode(errors="surrogatepass")).digest()[:_CHECK_BYTES]
    return SourceDefinition(at, digest, name, type_, hide_passwords(url), description, check)

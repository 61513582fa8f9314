"""Returns the JSON values that the API shows for datasets, sources and tags, as Marquez does."""

from __future__ import annotations

import re
from typing import Any

from service.domain.sources_and_tags import SourceRegisters, TagRegisters

_SCHEME = re.compile("(?:jdbc:)?([A-Za-z][A-Za-z0-9+.-]*):")

_UNKNOWN_TYPE = "UNKNOWN"
"""The type of a source that only facets name, without a URL that tells more."""


def source_view(source: SourceRegisters) -> dict[str, Any]:
    """Return a source; its URL has no password."""
    definition, url = source.definition, source.connection_url
    created = source.first_seen.at if source.first_seen else source.updated_at
    return {
        "type": definition.type if definition else _type_of(url),
        "name": source.name,
        "createdAt": created,
        "updatedAt": max(created, source.updated_at),
        "connectionUrl": url or "",
        "description": definition.description if definition else None,
    }


def _type_of(url: str | None) -> str:
    """Return the type that the scheme of a URL tells."""
    found = _SCHEME.match(url or "")
    return found[1].upper() if found else _UNKNOWN_TYPE


def tag_view(tag: TagRegisters) -> dict[str, str | None]:
    """Return a tag."""
    return {"name": tag.name, "description": tag.description.text if tag.description else None}

"""Parses run ids as callers send them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid3

import msgspec

_HEX = "[0-9a-fA-F]"
UUID_SCHEMA: dict[str, Any] = {
    "format": "uuid",
    "pattern": f"^{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}$",
}
"""What texts parse_uuid() takes, as keywords of JSON Schema."""


class _NoNamespace:
    """Stands for no name space: Java's nameUUIDFromBytes is a UUIDv3 without one."""

    bytes = b""


def run_uuid(run_id: str) -> UUID:
    """Return a runId as a UUID. Any other text becomes Java's nameUUIDFromBytes of it, as in Marquez."""
    parsed = parse_uuid(run_id)
    return parsed if parsed is not None else uuid3(_NoNamespace, run_id)  # type: ignore[arg-type]


def parse_uuid(text: str) -> UUID | None:
    """Return the UUID of a canonical text of 36 characters; None for any other text."""
    if len(text) != 36 or text[8] != "-" or text[13] != "-" or text[18] != "-" or text[23] != "-":  # noqa: PLR2004
        return None
    try:
        return msgspec.convert(text, UUID)  # takes a fifth of the time of UUID(text)
    except msgspec.ValidationError:
        return None

"""Run ids as callers write them."""

from __future__ import annotations

from uuid import UUID, uuid3

import msgspec


class _NoNamespace:
    """Java's nameUUIDFromBytes is a UUIDv3 without a namespace."""

    bytes = b""


def run_uuid(run_id: str) -> UUID:
    """Return the UUID a runId is; one that is none becomes Java's nameUUIDFromBytes of it, as in Marquez."""
    found = parse_uuid(run_id)
    return found if found is not None else uuid3(_NoNamespace, run_id)  # type: ignore[arg-type]


def parse_uuid(text: str) -> UUID | None:
    """Return the UUID that a canonical 36-character text is, else None."""
    if len(text) != 36 or text[8] != "-" or text[13] != "-" or text[18] != "-" or text[23] != "-":  # noqa: PLR2004
        return None
    try:
        return msgspec.convert(text, UUID)  # a fifth of the time that UUID(text) takes
    except msgspec.ValidationError:
        return None

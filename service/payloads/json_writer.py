"""Encodes JSON."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson


def dump(value: Any) -> bytes:  # noqa: ANN401  any type that orjson encodes
    """Return a value as JSON; times as in RFC 3339, with Z."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z, default=_encodable)


def _encodable(value: object) -> str:
    """Return the text of an id that PostgreSQL returned: of a subclass of UUID, which orjson does not take for one."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON serializable")

"""Encodes JSON."""

from __future__ import annotations

from typing import Any

import orjson


def dump(value: Any) -> bytes:  # noqa: ANN401  any type that orjson encodes
    """Return a value as JSON; times as in RFC 3339, with Z."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)

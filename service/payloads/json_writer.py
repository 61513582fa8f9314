"""Writes JSON."""

from __future__ import annotations

from typing import Any

import orjson

_ZULU = orjson.OPT_UTC_Z


def dump(value: Any) -> bytes:  # noqa: ANN401  whatever orjson writes
    """Write JSON; times as RFC 3339 with Z."""
    return orjson.dumps(value, option=_ZULU)

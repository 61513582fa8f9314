"""Reads rows of the ledger by their column names."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from service.domain.event import Event, make_tuple

_fields = itemgetter(*Event._fields)


def event_of(row: Any) -> Event:  # noqa: ANN401  asyncpg has no types
    """Return the event that a row holds; the row may have further columns."""
    return make_tuple(Event, _fields(row))

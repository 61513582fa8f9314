"""Parses ISO 8601 timestamps into UTC datetimes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

MAX_AHEAD = timedelta(hours=24)
"""How far ahead of the server's clock a time may be. In a last-writer-wins register a later one would win for ever."""

_FORM = (
    "([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?)"
    r"(?:(?:([Zz])|([ +-])([0-9]{2})(?::?([0-5][0-9]))?)(?:\[[A-Za-z0-9_/+:-]{1,64}\])?)?"
)
_ISO = re.compile(_FORM)
JSON_SCHEMA: dict[str, Any] = {"format": "date-time", "pattern": f"^{_FORM}$"}
"""What texts parse() takes, as keywords of JSON Schema: `format` is what to send, `pattern` every form that is read."""

_ZONE = re.compile(r"[\d:.,]\[[^\]]*\]\Z", re.ASCII)
"""The end of a time with the name of a zone and without an offset."""

_MAX_SHOWN = 64
_PLAIN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|\+00:00)", re.ASCII)
"""The form that nearly all callers send. fromisoformat reads it correctly."""

_INFINITE = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
"""asyncpg stores these as -infinity and infinity and returns them without a time zone, so they cannot be compared."""


def parse(text: str) -> datetime:
    """Return a timestamp as a UTC time. Raises ValueError with a message for the caller for any other text.

    A time without an offset is UTC. A space before the offset is read as the `+` that URL decoding replaced. Digits
    after the microsecond are cut. Java's zone suffix (`[UTC]`) is ignored after `Z` or an offset; without one, the time
    would depend on the rules of the zone.
    """
    at = _parse(text)
    if at in _INFINITE:
        raise ValueError(f"{_shown(text)} cannot be stored: PostgreSQL's driver takes this very time for infinity")
    return at


def _parse(text: str) -> datetime:
    if _PLAIN.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(_error_message(text)) from None
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(_error_message(text))
    date, time, zulu, sign, hours, minutes = match.groups()
    offset = "+00:00" if zulu or not sign else f"{'-' if sign == '-' else '+'}{hours}:{minutes or '00'}"
    try:
        return datetime.fromisoformat(f"{date}T{time}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(_error_message(text)) from None


def _shown(text: str) -> str:
    return ascii(text) if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]!a}…"


def _error_message(text: str) -> str:
    message = f"{_shown(text)} is not an ISO 8601 timestamp such as 2019-05-09T15:17:32.690346Z"
    return f"{message}: it names a zone without an offset" if _ZONE.search(text[-_MAX_SHOWN:]) else message


def is_too_far_ahead(at: datetime, now: datetime) -> bool:
    """Return whether a reported time is more than MAX_AHEAD ahead of the server's clock."""
    return at - now > MAX_AHEAD


def too_far_ahead(at: datetime) -> str:
    """Return the error message for a time that is too far ahead."""
    return f"{at.isoformat()} is more than 24 hours ahead of the server's clock"


def now() -> datetime:
    """Return the server's clock, in UTC."""
    return datetime.now(UTC)

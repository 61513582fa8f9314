"""ISO 8601 in, UTC datetimes inside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

AHEAD = timedelta(hours=24)
"""How far ahead of the server's clock a time may be: in a latest-wins register it would win for ever."""

_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)"
    r"(?:([Zz])|([+\- ])(\d\d)(?::?([0-5]\d))?)?(?:\[[A-Za-z0-9_/+:-]{1,64}\])?",
    re.ASCII,
)

_SHOWN = 64
_PLAIN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|\+00:00)", re.ASCII)
"""What nearly all callers send, and fromisoformat reads as it is meant."""


_INFINITE = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
"""What the driver takes for -infinity and infinity, and gives back without a zone: nothing could compare it."""


def parse(text: str) -> datetime:
    """Return the UTC time a timestamp means. Raises ValueError, with a sentence, for anything else.

    A time without an offset is UTC; a space before the offset is the `+` that a URL decoded; digits past the
    microsecond are cut; Java's zone suffix (`[UTC]`) is passed over.
    """
    at = _read(text)
    if at in _INFINITE:
        raise ValueError(_complaint(text))
    return at


def _read(text: str) -> datetime:
    if _PLAIN.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(_complaint(text)) from None
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(_complaint(text))
    date, time, zulu, sign, hours, minutes = match.groups()
    offset = "+00:00" if zulu or not sign else f"{'-' if sign == '-' else '+'}{hours}:{minutes or '00'}"
    try:
        return datetime.fromisoformat(f"{date}T{time}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(_complaint(text)) from None


def _complaint(text: str) -> str:
    shown = ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
    return f"{shown} is not an ISO 8601 timestamp such as 2019-05-09T15:17:32.690346Z"


def is_too_far_ahead(at: datetime, now: datetime) -> bool:
    """Tell whether a reported time is further ahead of the server's clock than is believed."""
    return at - now > AHEAD


def too_far_ahead(at: datetime) -> str:
    """Say so."""
    return f"{at.isoformat()} is more than 24 hours ahead of the server's clock"


def now() -> datetime:
    """Return the server's clock, in UTC."""
    return datetime.now(UTC)

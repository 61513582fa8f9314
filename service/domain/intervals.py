"""The intervals of statistics: the last 24 hours, or the last seven days in a time zone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import NamedTuple

_HOURS, _DAYS = 24, 7
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class Interval(NamedTuple):
    """A span of time: from `begin` until before `end`. `shown_begin` and `shown_end` are what answers have for them."""

    begin: datetime
    end: datetime
    shown_begin: datetime
    shown_end: datetime


def last_hours(now: datetime, zone: tzinfo) -> list[Interval]:
    """Return the last 24 hours of the clocks in a zone; the last one is the hour that `now` is in."""
    local = now.astimezone(zone)
    past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    begins = [now - past - _HOUR * (_HOURS - 1 - index) for index in range(_HOURS)]
    return [Interval(begin, begin + _HOUR, begin, begin + _HOUR) for begin in begins]


def last_days(now: datetime, zone: tzinfo) -> list[Interval]:
    """Return the last seven days of a zone; the last one is the day that `now` is in. Days may have 23 or 25 hours.

    A day is shown by its date alone, as midnight UTC, whatever the zone: Marquez's interface labels it so.
    """
    today = now.astimezone(zone).date()
    dates = [today + _DAY * (index - _DAYS + 1) for index in range(_DAYS + 1)]
    bounds = [datetime.combine(date, time(), zone).astimezone(UTC) for date in dates]
    shown = [datetime.combine(date, time(), UTC) for date in dates]
    return [Interval(*bounds[index : index + 2], *shown[index : index + 2]) for index in range(_DAYS)]

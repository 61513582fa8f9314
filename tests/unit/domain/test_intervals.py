from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.intervals import last_days, last_hours

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Africa/Cairo",
)
zones = st.sampled_from(ZONES).map(ZoneInfo)
times = st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  Hypothesis adds it


@pytest.mark.parametrize(("intervals", "count"), [(last_hours, 24), (last_days, 7)])
@given(now=times, zone=zones)
def test_intervals_follow_each_other_and_the_last_one_has_the_present(intervals, count, now, zone):
    found = intervals(now, zone)
    assert len(found) == count
    assert all(one.end == following.begin for one, following in pairwise(found))
    assert all(one.shown_end == following.shown_begin for one, following in pairwise(found))
    assert found[-1].begin <= now < found[-1].end


@given(now=times, zone=zones)
def test_intervals_begin_with_quarters_of_an_hour(now, zone):
    """What event_type_counts counts by."""
    bounds = [each.begin for each in (*last_hours(now, zone), *last_days(now, zone))]
    assert all(bound.timestamp() % 900 == 0 for bound in bounds)


def test_hours_are_those_of_the_zones_clocks():
    found = last_hours(datetime(2026, 11, 27, 10, 12, 13, 14, UTC), ZoneInfo("Asia/Kolkata"))  # 15:42 there
    assert found[-1][:2] == (datetime(2026, 11, 27, 9, 30, tzinfo=UTC), datetime(2026, 11, 27, 10, 30, tzinfo=UTC))
    assert found[0].begin == datetime(2026, 11, 26, 10, 30, tzinfo=UTC)
    assert all(each[:2] == each[2:] for each in found)


def test_days_are_those_of_the_zone_and_are_shown_by_their_dates():
    """Also the one of 25 hours."""
    found = last_days(datetime(2026, 10, 26, 23, 30, tzinfo=UTC), ZoneInfo("Europe/Berlin"))  # half past midnight there
    assert found[-1] == (
        datetime(2026, 10, 26, 23, tzinfo=UTC),
        datetime(2026, 10, 27, 23, tzinfo=UTC),
        datetime(2026, 10, 27, tzinfo=UTC),
        datetime(2026, 10, 28, tzinfo=UTC),
    )
    longest = next(each for each in found if each.end - each.begin == timedelta(hours=25))
    assert longest.shown_begin == datetime(2026, 10, 25, tzinfo=UTC)


def test_a_day_begins_where_its_midnight_is_left_out():
    found = last_days(datetime(2026, 4, 24, 12, tzinfo=UTC), ZoneInfo("Africa/Cairo"))  # 00:00 became 01:00 that day
    assert found[-1].begin == datetime(2026, 4, 23, 22, tzinfo=UTC)
    assert found[-1].end - found[-1].begin == timedelta(hours=23)

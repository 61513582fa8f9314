"""What is a timestamp, and what is none."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain import timestamps

NOON = datetime(2019, 5, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2019-05-09T12:00:00Z", NOON),
        ("2019-05-09t12:00:00z", NOON),
        ("2019-05-09T12:00:00", NOON),
        ("2019-05-09 12:00:00", NOON),
        ("2019-05-09T12:00", NOON),
        ("2019-05-09T14:00:00+02:00", NOON),
        ("2019-05-09T14:00:00 02:00", NOON),
        ("2019-05-09T14:00:00+0200", NOON),
        ("2019-05-09T14:00:00+02", NOON),
        ("2019-05-09T06:30:00-05:30", NOON),
        ("2019-05-09T12:00:00Z[UTC]", NOON),
        ("2019-05-09T14:00:00+02:00[Europe/Berlin]", NOON),
        ("2019-05-09T12:00:00.5Z", NOON.replace(microsecond=500_000)),
        ("2019-05-09T12:00:00,5Z", NOON.replace(microsecond=500_000)),
        ("2019-05-09T12:00:00.690346Z", NOON.replace(microsecond=690_346)),
        ("2019-05-09T12:00:00.690346999Z", NOON.replace(microsecond=690_346)),
        ("2019-05-09T12:00:00.0000009Z", NOON),
        ("2020-02-29T00:00:00Z", datetime(2020, 2, 29, tzinfo=UTC)),
        ("0001-01-01T00:00:00.000001Z", datetime(1, 1, 1, microsecond=1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999998Z", datetime(9999, 12, 31, 23, 59, 59, 999_998, tzinfo=UTC)),
    ],
)
def test_a_timestamp_is_its_time_in_utc(text, means):
    found = timestamps.parse(text)
    assert (found, found.tzinfo) == (means, UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "yesterday",
        "2019-05-09",
        "2019-05-09T",
        "2019-05-09T12",
        "12:00:00",
        "1557403200",
        "20190509T120000Z",
        "2019-W19-4T12:00:00Z",
        "2019-13-01T00:00:00Z",
        "2019-02-29T00:00:00Z",
        "2019-05-09T24:00:01Z",
        "2019-05-09T12:60:00Z",
        "2019-05-09T12:00:60Z",
        "2019-05-09T12:00:00+24:00",
        "2019-05-09T12:00:00+02:99",
        "2019-05-09T12:00:00Z ",
        " 2019-05-09T12:00:00Z",
        "2019-05-09T12:00:00Z\n",
        "2019-05-09T12:00:00ZZ",
        "0001-01-01T00:00:00+14:00",
        "2026-07-01T12:00:00[Europe/Berlin]",
        "2026-07-01T12:00:00[UTC]",
        "2026-07-01T12:00[Europe/Berlin]",
        "9999-12-31T23:59:59-14:00",
        "+12019-05-09T12:00:00Z",
        "-2019-05-09T12:00:00Z",
        "٢٠١٩-05-09T12:00:00Z",
        "2019-05-09T12:00:00.Z",
        "NaN",
        "\ud800",
        "\0",
        "9" * 100_000,
    ],
)
def test_anything_else_is_refused_with_a_sentence_that_can_be_sent(text):
    with pytest.raises(ValueError, match="is not an ISO 8601 timestamp") as caught:
        timestamps.parse(text)
    assert str(caught.value).encode()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("text", ["2026-07-01T12:00:00[Europe/Berlin]", "2026-07-01T12:00[UTC]"])
def test_a_zone_without_an_offset_is_named_as_the_error(text):
    with pytest.raises(ValueError, match="names a zone without an offset"):
        timestamps.parse(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "0001-01-01 01:00:00 01:00", "9999-12-31T23:59:59.999999Z"])
def test_the_two_times_that_the_driver_takes_for_infinity_are_refused_with_the_reason(text):
    with pytest.raises(ValueError, match="takes this very time for infinity"):
        timestamps.parse(text)


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001
def test_what_python_writes_is_read_back(at):
    assert timestamps.parse(at.isoformat()) == at


@given(st.text())
def test_no_text_breaks_the_reader(text):
    try:
        assert timestamps.parse(text).tzinfo is UTC
    except ValueError as error:
        assert "timestamp" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("ahead", "too_far"),
    [
        (timedelta(hours=24), False),
        (timedelta(hours=24, microseconds=1), True),
        (timedelta(0), False),
        (timedelta(days=-40_000), False),
    ],
)
def test_a_time_may_be_24_hours_ahead_and_as_old_as_it_likes(ahead, too_far):
    now = datetime(2124, 1, 1, tzinfo=UTC)
    assert timestamps.is_too_far_ahead(now + ahead, now) is too_far

"""Cursors are decoded as they were encoded, and no other text is."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Malformed
from service.ledger import cursors
from service.ledger.cursors import PositionCursor, RowCursor

places = st.builds(PositionCursor, st.integers(0, 2**32 - 1), st.integers(0, 2**63 - 1))
rows = st.builds(
    RowCursor,
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    st.uuids(),
)


@given(places)
def test_a_place_comes_back(place):
    assert cursors.decode_position(cursors.encode_position(place)) == place


@given(rows)
def test_a_row_comes_back(row):
    assert cursors.decode_row(cursors.encode_row(row)) == row


@given(st.text(max_size=80))
def test_a_made_up_cursor_is_malformed(text):
    for read in (cursors.decode_position, cursors.decode_row):
        with pytest.raises(Malformed):
            read(text)


@given(places, st.integers(0, 20), st.sampled_from("abcXYZ019-_"))
def test_an_altered_cursor_is_malformed(place, index, letter):
    sealed = cursors.encode_position(place)
    altered = sealed[:index] + letter + sealed[index + 1 :]
    if altered != sealed:
        with pytest.raises(Malformed):
            cursors.decode_position(altered)


def test_the_cursor_of_another_list_is_malformed():
    row = cursors.encode_row(RowCursor(datetime(2024, 1, 1, tzinfo=UTC), cursors.UUID(int=7)))
    with pytest.raises(Malformed):
        cursors.decode_position(row)

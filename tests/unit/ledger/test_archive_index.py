"""Archives are found by position."""

from hypothesis import given
from hypothesis import strategies as st

from service.ledger.archive_records import Archive, ArchiveIndex

archives = st.lists(
    st.builds(
        lambda number, first, length: Archive(str(number), "d", "0", first, first + length, 1),
        st.integers(0, 1000),
        st.integers(1, 60),
        st.integers(0, 30),
    ),
    max_size=8,
)


@given(archives, st.integers(0, 100))
def test_an_index_finds_exactly_the_archives_that_cover_a_position(several, position):
    index = ArchiveIndex(several)
    expected = [archive for archive in several if archive.covers(position)]
    assert sorted(index.covering(position), key=repr) == sorted(expected, key=repr)
    assert (index.find(position) is None) == (not expected)

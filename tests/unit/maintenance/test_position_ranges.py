"""Ranges of positions say the same as sets of positions."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from service.maintenance.position_ranges import Positions, covered_parts, pieces, uncovered

ranges = st.builds(lambda first, length: Positions(first, first + length - 1), st.integers(1, 60), st.integers(0, 30))


def members(*several):
    return {position for one in several for position in range(one.first, one.last + 1)}


@given(ranges, st.lists(ranges, max_size=6))
def test_what_is_uncovered_and_what_is_covered_make_up_the_range(within, others):
    free, taken = uncovered(within, others), covered_parts(within, others)
    assert members(*free) == members(within) - members(*others)
    assert members(*taken) == members(within) & members(*others)
    for parts in (free, taken):
        assert all(one.last + 1 < following.first for one, following in pairwise(parts))
        assert all(one.first <= one.last for one in parts)


@given(ranges, st.integers(1, 12))
def test_pieces_end_at_multiples_of_their_size(of, size):
    found = pieces(of, size)
    assert members(*found) == members(of)
    assert sum(one.last - one.first + 1 for one in found) == len(members(of))
    assert all((one.first - 1) // size == (one.last - 1) // size for one in found)

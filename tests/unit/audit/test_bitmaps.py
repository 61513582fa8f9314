"""Lists and bitmaps of offsets say the same."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.audit import bitmaps
from service.audit.bitmaps import CHUNK


def few_or_many():
    """Sets of offsets on both sides of where bitmaps begin."""
    sizes = st.integers(1, CHUNK) | st.sampled_from([128, 129, 511, 512, 513])
    seeds = st.tuples(sizes, st.integers(0, CHUNK - 1), st.sampled_from([1, 3, 5, 4095]))
    regular = seeds.map(lambda seed: {(seed[1] + n * seed[2]) % CHUNK for n in range(seed[0])})
    return st.sets(st.integers(0, CHUNK - 1), min_size=1, max_size=20) | regular


def kept(found):
    """Return a set as a posting keeps it: its total and its bytes."""
    listed = b"".join(offset.to_bytes(2, "big") for offset in found)
    return len(found), bitmaps.pack_offsets(listed)


@given(few_or_many())
def test_what_is_packed_comes_out_in_order(found):
    unpacked = bitmaps.union([kept(found)])
    assert list(bitmaps.ascending(unpacked)) == sorted(found)
    assert bitmaps.count(unpacked) == len(found)


@given(few_or_many(), few_or_many())
def test_values_of_one_facet_are_united(one, other):
    other -= one
    several = [kept(one), kept(other)] if other else [kept(one)]
    assert list(bitmaps.ascending(bitmaps.union(several))) == sorted(one | other)


@given(st.lists(few_or_many(), min_size=1, max_size=4))
def test_what_all_facets_have_is_common(several):
    common = bitmaps.intersection([bitmaps.union([kept(each)]) for each in several])
    expected = sorted(set.intersection(*several))
    assert list(bitmaps.ascending(common)) == expected
    assert bitmaps.count(common) == len(expected)


@pytest.mark.parametrize(("total", "size"), [(1, 2), (128, 256), (129, 1024), (512, 1024), (CHUNK, 1024)])
def test_no_more_is_kept_than_a_bitmap(total, size):
    assert len(kept(range(total))[1]) == size


def test_lists_that_were_posted_before_there_were_bitmaps_are_read():
    listed = b"".join(offset.to_bytes(2, "big") for offset in range(2000))
    assert bitmaps.union([(2000, listed)]) == array("H", range(2000))

"""The facets of a run are bounded, and what is left out does not depend on the order in which they are merged."""

from datetime import timedelta
from functools import reduce

import pytest
from histories import at
from hypothesis import given
from hypothesis import strategies as st

from service.domain.registers import (
    FACET_LIMITS,
    MAX_FACET_NAME,
    OMITTED,
    FacetLimits,
    count_omitted,
    merge_facets,
    stamped_facets,
)
from service.settings import Settings

COUNT, SIZE = 4, 40


@pytest.fixture(scope="module", autouse=True)
def small_limits():
    before = FACET_LIMITS.count, FACET_LIMITS.size
    FACET_LIMITS.set(COUNT, SIZE)
    yield
    FACET_LIMITS.set(*before)


def reported(minute, **facets):
    return stamped_facets(at(minute), bytes([minute]), facets, 0)


sizes = st.one_of(st.none(), st.integers(1, 50)).map(lambda size: None if size is None else b"x" * size)
values = st.dictionaries(st.sampled_from("abcdef"), sizes, min_size=1, max_size=5)
histories = st.lists(values, min_size=3, max_size=6).map(
    lambda found: [reported(minute, **facets) for minute, facets in enumerate(found)]
)


@given(histories, st.data())
def test_whatever_the_order_and_the_grouping_the_same_is_left_out(events, data):
    in_order = reduce(merge_facets, events)
    shuffled = data.draw(st.permutations(events))
    middle = data.draw(st.integers(1, len(events) - 1))
    grouped = merge_facets(reduce(merge_facets, shuffled[:middle]), reduce(merge_facets, shuffled[middle:]))
    assert grouped == in_order
    assert merge_facets(in_order, in_order) == in_order
    assert merge_facets(in_order, data.draw(st.sampled_from(events))) == in_order


@given(histories)
def test_they_never_add_up_to_more_than_the_limits(events):
    found = reduce(merge_facets, events)
    shown = {name: facet.value for name, facet in found.items() if facet.value}
    assert len(shown) <= COUNT
    assert sum(len(name) + len(value) for name, value in shown.items()) <= SIZE
    assert len(found) <= COUNT + 1


@given(histories)
def test_nothing_is_left_out_that_fits_at_any_time(events):
    largest = {}
    for facets in events:
        for name, facet in facets.items():
            largest[name] = max(largest.get(name, 0), facet.size)
    if len(largest) <= COUNT and sum(largest.values()) <= SIZE and not any(map(count_omitted, events)):
        assert count_omitted(reduce(merge_facets, events)) == 0


def test_a_large_one_gives_way_and_the_small_ones_stay():
    found = merge_facets(reported(1, a=b"1", b=b"22", huge=b"x" * 100), reported(2, c=b"333"))
    assert {name: facet.value for name, facet in found.items()} == {"a": b"1", "b": b"22", "huge": OMITTED, "c": b"333"}
    assert count_omitted(found) == 1


def test_what_fits_alone_and_not_together_is_left_out():
    one, other = reported(1, a=b"x" * (SIZE * 2 // 3)), reported(2, b=b"x" * (SIZE * 2 // 3))
    assert count_omitted(one) == count_omitted(other) == 0
    assert count_omitted(merge_facets(one, other)) == 2


def test_a_large_one_that_leaves_room_for_the_others_is_kept():
    assert count_omitted(reported(1, a=b"1", b=b"1", large=b"x" * 30)) == 0


def test_of_too_many_names_the_first_stay_and_it_is_known_that_there_were_more():
    found = reduce(merge_facets, [reported(minute, **{f"n{minute}": b"1"}) for minute in range(20)])
    assert [name for name, facet in found.items() if facet.value] == ["n0", "n1", "n10", "n11"]
    assert count_omitted(found) == 1


def test_a_long_name_takes_no_room():
    found = reported(1, **{"n" * (MAX_FACET_NAME + 1): b"1"})
    assert count_omitted(found) == 1
    assert max(map(len, found)) < 100


def test_a_value_that_was_left_out_comes_back_with_no_later_report_of_another():
    """A dropped value cannot be restored, so room that a smaller value leaves must not depend on when it came."""
    first, second = reported(1, a=b"x" * 30, b=b"x" * 30), reported(2, a=b"x")
    assert merge_facets(first, second) == merge_facets(second, first)
    assert merge_facets(first, second)["b"].value == OMITTED


def test_the_defaults_of_the_settings_are_those_of_the_domain():
    settings, limits = Settings(), FacetLimits()
    assert (settings.max_facets, settings.max_facets_bytes) == (limits.count, limits.size)


def test_equal_times_are_the_same_event():
    facets = reported(1, a=b"1")
    assert merge_facets(facets, facets) == facets
    assert facets["a"].at == at(0) + timedelta(minutes=1)

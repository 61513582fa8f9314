"""Tags merge in any order, with any duplicates, and stay bounded."""

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain import tags as module
from service.domain.tags import (
    TagChange,
    count_field_tags,
    has_tag,
    merge_field_tags,
    merge_tags,
    present,
    stamped_field_tags,
    stamped_tags,
)

names = st.sampled_from(["PII", "pii", "gold", "", "ü", "z" * 300])
changes = st.lists(
    st.builds(TagChange, names.filter(bool), st.booleans(), st.none() | st.sampled_from(["id", "email"])), max_size=3
)
histories = st.lists(changes, min_size=1, max_size=8)


def parts(history):
    """Return the registers of each event of a history: each event is at a position of its own."""
    return [
        (stamped_tags(position, event), stamped_field_tags(position, event))
        for position, event in enumerate(history, 1)
    ]


def merge(a, b):
    return merge_tags(a[0], b[0]), merge_field_tags(a[1], b[1])


@given(histories, st.data())
def test_order_and_repetition_change_nothing(history, data):
    whole = parts(history)
    expected = reduce(merge, whole)
    shuffled = data.draw(st.permutations(whole + data.draw(st.lists(st.sampled_from(whole), max_size=4))))
    cut = data.draw(st.integers(0, len(shuffled)))
    halves = [reduce(merge, half, ({}, {})) for half in (shuffled[:cut], shuffled[cut:])]
    assert merge(*halves) == expected


@given(histories)
def test_the_last_change_of_a_tag_stands(history):
    tags, of_fields = reduce(merge, parts(history))
    last = {(change.field, change.tag): change.added for event in history for change in event}
    assert present(tags) == sorted(tag for (field, tag), added in last.items() if added and field is None)
    for (field, tag), added in last.items():
        assert has_tag(tags if field is None else of_fields[field], tag) is added


@given(histories, st.data())
def test_more_tags_than_the_limit_are_cut_in_the_same_way_in_any_order(history, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_TAGS", 2)
        patch.setattr(module, "MAX_FIELD_TAGS", 2)
        whole = parts(history)
        expected = reduce(merge, whole)
        assert reduce(merge, data.draw(st.permutations(whole))) == expected
        assert len(expected[0]) <= 2
        assert count_field_tags(expected[1]) <= 2

"""JSON taken apart without changing a byte of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.payloads import raw_json
from service.payloads.raw_json import MAX_DEPTH, too_deep

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), values), st.sampled_from([None, 1]), st.booleans())
def test_an_objects_members_are_the_texts_they_came_as(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    found = raw_json.members(f" {text}\n")
    assert {name: json.loads(raw) for name, raw in found.items()} == value
    assert all(raw in text for raw in found.values())


@given(st.lists(values), st.sampled_from([None, 1]))
def test_an_arrays_elements_are_the_texts_they_came_as(value, indent):
    text = json.dumps(value, indent=indent)
    found = raw_json.elements(text)
    assert [json.loads(raw) for raw in found] == value
    assert all(raw in text for raw in found)


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("{}", {}),
        (" { } ", {}),
        ('{"a" : 1.0e5 , "b":[ 1 ]}', {"a": "1.0e5", "b": "[ 1 ]"}),
        ('{"a": 1, "a": 2}', {"a": "2"}),
        ('{"a": "\\ud800"}', {"a": '"\\ud800"'}),
        (f'{{"a": {"9" * 5000}}}', {"a": "9" * 5000}),
        ('{"a": 1e400}', {"a": "1e400"}),
        ('{"\\u0061": -0}', {"a": "-0"}),
        ('{"": ""}', {"": '""'}),
    ],
)
def test_what_jsons_grammar_allows_is_taken(text, members):
    assert raw_json.members(text) == members


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "}",
        "null",
        '{"a"}',
        '{"a":}',
        '{"a":1,}',
        '{"a" 1}',
        "{1: 2}",
        "{null: 2}",
        '{"a":1}x',
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":-Infinity}',
        "{'a':1}",
        '{"a":01}',
        '{"a":"\n"}',
        '\ufeff{"a":1}',
        '{"a":1}{"b":2}',
    ],
)
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        raw_json.members(text)


@pytest.mark.parametrize("text", ["", "{}", "[", "[1,]", "[1 2]", "[1]]", "[NaN]", "[,]"])
def test_what_is_no_json_array_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        raw_json.elements(text)


def test_nesting_without_end_is_refused_and_not_fatal():
    with pytest.raises(RecursionError):
        raw_json.members('{"a":' * 100_000)
    with pytest.raises(RecursionError):
        raw_json.elements("[" * 100_000)


def test_a_values_numbers_stay_text():
    assert raw_json.value('{"a": [1, 2.50, "x", null, true]}') == {"a": ["1", "2.50", "x", None, True]}


def plain_depth(body: bytes) -> int:
    depth = deepest = 0
    in_string = escaped = False
    for sign in body.decode():
        if in_string:
            in_string, escaped = sign != '"' or escaped, sign == "\\" and not escaped
        elif sign == '"':
            in_string = True
        else:
            depth += (sign in "[{") - (sign in "]}")
            deepest = max(deepest, depth)
    return deepest


@given(
    st.lists(st.sampled_from(["a", '"', "\\", "[", "]{", "}"]), max_size=8), st.integers(MAX_DEPTH - 4, MAX_DEPTH + 2)
)
def test_a_text_is_too_deep_where_a_count_of_its_brackets_outside_strings_says_so(parts, levels):
    inner = json.dumps(["".join(parts)]) + "," + json.dumps([[["".join(parts)]]])
    for opening, closing in (("[", "]"), ('{"\\\\":', "}")):
        half = levels // 2
        body = (f"[[],{opening}" * half + f"[{inner}]" + f"{closing}]" * half).encode()
        assert too_deep(body) == (plain_depth(body) > MAX_DEPTH)
        body = (opening * levels + f"[{inner}]" + closing * levels).encode()
        assert too_deep(body) == (plain_depth(body) > MAX_DEPTH)

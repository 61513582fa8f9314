"""Streams of events: lines and arrays, split in bounded memory and linear time."""

import contextlib
import json
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Malformed, TooLarge
from service.payloads import raw_json
from service.payloads.raw_json import too_deep
from service.payloads.splitters import BYTE_ORDER_MARK, ArraySplitter, CheckedArray, LineSplitter, RawEvent

texts = st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"x").replace(b"\xef", b"x"))


@given(st.lists(texts, max_size=12), st.data(), st.booleans())
def test_lines_are_the_same_however_the_stream_is_cut(lines, data, ended):
    stream = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    cutter = LineSplitter(8)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += cutter.feed(stream[start:end])
    found += cutter.end()
    assert found == [
        RawEvent(number, None if len(text) > 8 else text.strip())
        for number, text in enumerate(lines, 1)
        if text.strip() or len(text) > 8
    ]


def test_a_line_that_is_too_long_is_passed_over_without_being_held():
    cutter = LineSplitter(100)
    found = list(cutter.feed(b"{}\n"))
    for _ in range(1000):
        found += cutter.feed(b"x" * 1000)
        assert sum(map(len, cutter._parts)) <= 100
    found += cutter.feed(b"\n[]\n")
    assert found == [RawEvent(1, b"{}"), RawEvent(2, None), RawEvent(3, b"[]")]


def split_array(body: bytes) -> list[bytes | None]:
    array = CheckedArray(10_000, 10_000)
    array.feed(body)
    array.end()
    return [element.text for element in array.take()]


def test_an_array_of_too_many_elements_is_too_large():
    with pytest.raises(TooLarge):
        split_array(b"[" + b"1," * 10_000 + b"1]")


@pytest.mark.parametrize(
    "text",
    [
        b'[{"a":[' + b"[]," * 2_000_000 + b"[]]}]",
        b'[{"a":[' + b'"",' * 2_000_000 + b"1]}]",
        b"[[" + b"[[[[]]]]," * 400_000 + b"1]]",
        b'[["' + b"\\" * 3_000_000 + b'"]]',
        b"[[" + b'{"a":"' * 2_000,
    ],
    ids=["side by side", "strings", "nested", "escapes", "unfinished"],
)
def test_the_time_of_splitting_is_linear(text):
    """A slice takes no longer at the end of a long element than at its beginning."""
    cutter = ArraySplitter(100_000_000)
    with contextlib.suppress(Malformed):
        for start in range(0, len(text), 65_536):
            began = perf_counter()
            cutter.feed(text[start : start + 65_536])
            assert perf_counter() - began < 0.5


def test_the_depth_of_16_mib_is_known_soon():
    began = perf_counter()
    assert not too_deep(b"[" + b"[{}]," * 3_000_000 + b"1]")
    assert too_deep(b"[" * 16_000_000)
    assert perf_counter() - began < 5


@given(st.text("[]{}x", max_size=40), st.integers(0, 12))
def test_depth_is_that_of_a_count_bracket_by_bracket(text, bound):
    depth = deepest = 0
    for sign in text:
        depth += (sign in "[{") - (sign in "]}")
        deepest = max(deepest, depth)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(raw_json, "MAX_DEPTH", bound)
        patched.setattr(raw_json, "_PART", 3)
        assert raw_json.too_deep(text.encode()) == (deepest > bound)


def test_the_elements_of_an_array_are_the_bytes_they_came_as():
    assert split_array(b' [ {"a": 1e400} , {"b":"\\ud800" },5 ] ') == [b'{"a": 1e400}', b'{"b":"\\ud800" }', b"5"]
    assert split_array(b"[]") == []


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"[1,]", b"[1", b"5", b'["\xff",\\]', b"[" * 5000])
def test_what_is_no_array_is_malformed(body):
    with pytest.raises(Malformed):
        split_array(body)


def cut(stream: bytes, cuts: list[int], limit: int = 1000) -> list[RawEvent]:
    cutter = ArraySplitter(limit)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += cutter.feed(stream[start:end])
    return found + cutter.end()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('a\\"[]{},\n')),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(['a"', "\\", "]"]), inner, max_size=2),
    max_leaves=8,
)


@given(st.lists(values, max_size=5), st.data(), st.sampled_from([None, 2]), st.sampled_from([b"", BYTE_ORDER_MARK]))
def test_elements_are_the_same_however_the_stream_is_cut(elements_given, data, indent, mark):
    stream = mark + b" " + json.dumps(elements_given, indent=indent).encode() + b"\n"
    found = cut(stream, sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8))))
    assert [json.loads(line.text) for line in found] == elements_given
    assert [line.number for line in found] == list(range(1, len(found) + 1))


def test_an_element_that_is_too_long_is_passed_over_without_being_held():
    cutter = ArraySplitter(100)
    found = cutter.feed(b'[{},"')
    for _ in range(100):
        found += cutter.feed(b"x," * 1000)
        assert sum(map(len, cutter._parts)) <= 100
    found += cutter.feed(b'",[1]]')
    assert found + cutter.end() == [RawEvent(1, b"{}"), RawEvent(2, None), RawEvent(3, b"[1]")]


@pytest.mark.parametrize(
    "stream", [b"", b"5", b"{}", b"[1", b"[1,]", b"[,]", b"[1]x", b"[1][2]", b"[1],", b'"[1]"', b"[1}", b'["']
)
def test_what_is_no_array_to_its_end_is_malformed(stream):
    for step in (1, 100):
        with pytest.raises(Malformed):
            cut(stream, list(range(1, len(stream), step)))

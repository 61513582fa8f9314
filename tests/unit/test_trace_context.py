"""The header traceparent, as W3C Trace Context defines it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.trace_context import TraceContext, parse

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-fe", False),  # of the flags only the last bit counts
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", True),
    ],
)
def test_a_valid_header_names_a_span_and_whether_the_trace_is_recorded(header, sampled):
    assert parse(header) == TraceContext(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01-",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"cc-{TRACE}-{SPAN}-01-{'x' * 300}",
    ],
)
def test_a_header_that_is_not_valid_is_ignored(header):
    assert parse(header) is None


@given(st.text(alphabet="0123456789abcdef-", max_size=60))
def test_whatever_is_read_is_written_as_it_was(text):
    found = parse(text)
    assert found is None or (text.startswith("00") is False) or str(found)[:53] == text[:53]


def test_a_child_is_another_span_of_the_trace_that_is_not_recorded():
    child = TraceContext(TRACE, SPAN, sampled=True).child()
    assert child.trace_id == TRACE
    assert child.span_id != SPAN
    assert parse(str(child)) == child
    assert not child.sampled

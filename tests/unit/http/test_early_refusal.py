"""A request is refused early only if aiohttp's parser sees its end at the same place."""

import asyncio
from math import inf

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser
from aiohttp.http_exceptions import HttpProcessingError
from hypothesis import example, given
from hypothesis import strategies as st

from service.http.early_refusal import AnswerForm, UnwrittenRefusals, read_usual_request

HEAD = b"POST /api/v1/lineage HTTP/1.1\r\nHost: runfold\r\nAuthorization: Bearer x\r\nContent-Length: 3\r\n\r\n"

FRAGMENTS = st.sampled_from([
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\0", b"Content-Length: 3", b"content-length:3", b"Content-Length : 3",
    b"Content-Length: +3", b"Content-Length: 3, 3", b"Content-Length: 0x3", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding : chunked", b"TRANSFER-ENCODING:\tchunked", b"Connection: keep-alive", b"Connection: upgrade",
    b"Connection: close", b"Connection: keep-alive, close", b"Proxy-Connection: close", b"Upgrade: h2c",
    b"Expect: 100-continue", b"X-Request-ID: a", b"HTTP/1.1", b"HTTP/1.0", b"GET / ", b"HEAD /x ", b"CONNECT x:1 ",
    b"abc", b"0\r\n\r\n", b"Host: x", b"\x80",
])  # fmt: skip


@st.composite
def requests(draw):
    """Requests into which fragments were put, at the ends of their lines or anywhere."""
    data = HEAD + b"abc"
    for fragment in draw(st.lists(FRAGMENTS, max_size=4)):
        if draw(st.booleans()):
            lines = data.split(b"\r\n")
            lines.insert(draw(st.integers(0, len(lines) - 1)), fragment)
            data = b"\r\n".join(lines)
        else:
            at = draw(st.integers(0, len(data)))
            data = data[:at] + fragment + data[at + draw(st.integers(0, 3)) :]
    return data


def parse(data):
    """Return the requests that aiohttp's parser finds, and whether the last one is complete; None if it fails."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16)
        messages, upgraded, _rest = parser.feed_data(data)
    except HttpProcessingError:
        return None
    finally:
        loop.close()
    return messages, bool(messages) and messages[-1][1].is_eof() and not upgraded


@given(requests())
@example(HEAD + b"abc")
@example(HEAD.replace(b"Content-Length", b"Content-Length: 0\r\nContent-Length") + b"abc")
@example(HEAD.replace(b"\r\nHost", b"\r\nTransfer-Encoding: chunked\r\nHost") + b"abc")
def test_the_parser_sees_the_end_of_a_refused_request_at_the_same_place(data):
    size, form = read_usual_request(data) or (len(data) + 1, None)
    if size > len(data):
        return
    parsed = parse(data[:size])
    if parsed is None:
        return  # the parser refuses it and closes the connection; nothing after it would be read as a request
    messages, complete = parsed
    assert len(messages) == 1
    assert complete
    assert messages[0][0].should_close is (form is not None and form.closes)
    if size > 0:
        earlier = parse(data[: size - 1])
        assert earlier is None or not earlier[1]


@pytest.mark.parametrize(
    "head",
    [
        HEAD,
        HEAD.lower().replace(b"post", b"POST").replace(b"http/", b"HTTP/"),
        HEAD.replace(b"Content-Length: 3\r\n", b""),
        HEAD.replace(b"Host", b"Connection: keep-alive\r\nHost"),
        HEAD.replace(b"Host", b"Connection: close\r\nX-Request-ID: Seven\r\nHost"),
        b"GET /api/v1/jobs/runs/a?at=b HTTP/1.1\r\nHost: runfold\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: runfold\r\n\r\n",
    ],
)
def test_usual_requests_are_recognised(head):
    size, form = read_usual_request(head + b"abcdef")
    assert size == len(head) + (3 if b"ength" in head else 0)
    expected = AnswerForm(head.startswith(b"HEAD"), b"close" in head, b"Seven" if b"Seven" in head else b"")
    assert form == (expected if any(expected) else None)


@pytest.mark.parametrize("path", [b"/livez", b"/readyz", b"/metrics", b"/runfold/readyz?x=1"])
def test_probes_and_scrapes_are_not_refused_early(path):
    assert read_usual_request(b"GET %b HTTP/1.1\r\nHost: runfold\r\n\r\n" % path) is None


async def test_a_bounded_number_of_answers_is_written_in_a_turn_in_the_order_of_the_requests():
    written, unwritten, most = [], UnwrittenRefusals(), 0

    class Refused:
        def __init__(self, number):
            self.number = number

        def write_refusal(self):
            written.append(self.number)

    for number in range(1000):
        unwritten.add(Refused(number))
    assert not written
    while unwritten.waited(inf):
        before = len(written)
        await asyncio.sleep(0)
        most = max(most, len(written) - before)
    assert written == list(range(1000))
    assert most <= 200

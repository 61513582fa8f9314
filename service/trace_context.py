"""The trace that a request belongs to, as its caller names it: the header `traceparent` of W3C Trace Context."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

_PARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(-.*)?"
)
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_VERSION, _UNKNOWN_VERSION = "00", "ff"
_MAX_LENGTH = 256
_SAMPLED = 1


class TraceContext(NamedTuple):
    """A span of a trace: both ids in hexadecimal, and whether the caller records the trace."""

    trace_id: str
    span_id: str
    sampled: bool = False

    def __str__(self) -> str:
        """Return it as the value of a header."""
        return f"{_VERSION}-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"

    def child(self) -> TraceContext:
        """Return a new span of the trace, which is not recorded."""
        return TraceContext(self.trace_id, os.urandom(8).hex())


def parse(header: str | None) -> TraceContext | None:
    """Return the span that a header `traceparent` names; None where there is none or it is not valid."""
    if header is None or len(header) > _MAX_LENGTH:
        return None
    found = _PARENT.fullmatch(header)
    if found is None or found["version"] == _UNKNOWN_VERSION or (found["version"] == _VERSION and found[5]):
        return None
    if found["trace"] == _NO_TRACE or found["span"] == _NO_SPAN:
        return None
    return TraceContext(found["trace"], found["span"], bool(int(found["flags"], 16) & _SAMPLED))

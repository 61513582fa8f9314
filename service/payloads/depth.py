"""How deep JSON may be nested: as deep as every reader of it reaches, whatever it is called from.

An event is read when it comes in, and again whenever it is folded, from another depth of calls. So what is taken is
bounded by counting brackets, not by where a reader happens to give up, and there is room left for the calls.
"""

from __future__ import annotations

import re
import sys
from itertools import accumulate

MAX_DEPTH = 2_000
"""Brackets within brackets. Events of real schedulers stay below 30."""

_CALLS = 1_000
"""What Python allows for calls alone."""

# The readers (msgspec, json) count their own recursion against Python's limit, a level each. Measured on CPython 3.11
# (x86-64): 3,000 levels take less than 512 KiB of C stack, of which a main thread has 8 MiB; PostgreSQL 18 reads 10,000
# within the 2 MiB of its default max_stack_depth.
sys.setrecursionlimit(max(sys.getrecursionlimit(), MAX_DEPTH + _CALLS))

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def too_deep(body: bytes) -> bool:
    """Tell whether JSON is nested deeper than MAX_DEPTH. Most texts have not even as many brackets."""
    if len(body) <= MAX_DEPTH or body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    brackets = _STRING.sub(b"", body).translate(None, _NOT_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > MAX_DEPTH

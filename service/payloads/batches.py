"""A JSON array of events, taken apart without changing a byte of them."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from service.errors import Malformed
from service.payloads import raw_json
from service.payloads.depth import MAX_DEPTH, too_deep

_decode = msgspec.json.Decoder(list[Raw]).decode


def elements(body: bytes) -> list[bytes]:
    """Return the elements of an array. Raises Malformed for whatever is none."""
    if too_deep(body):
        raise Malformed(f"the batch is nested deeper than {MAX_DEPTH} levels")
    try:
        return [bytes(raw) for raw in _decode(body)]
    except msgspec.DecodeError:
        return _sliced(body)


def _sliced(body: bytes) -> list[bytes]:
    """Take apart what msgspec refuses: half a surrogate pair somewhere in it, or no array."""
    try:
        return [one.encode() for one in raw_json.elements(body.decode())]
    except UnicodeDecodeError as error:
        raise Malformed(f"the batch is not UTF-8: {error.reason} at byte {error.start}") from None
    except ValueError as error:
        raise Malformed(f"a batch is a JSON array of events: {error}") from None

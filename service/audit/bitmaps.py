"""Sets of offsets at which a value occurs in a chunk of the ledger, as postings store them. Pure.

A value with up to 128 occurrences has a list: two bytes each, big-endian, in any order. A more frequent value has a
bitmap of 1,024 bytes, the first offset being the highest bit of the first byte: bitmaps are intersected word by word,
lists element by element. The total tells the two apart: a list has twice as many bytes (so 512 offsets are a list).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Collection, Iterable, Iterator
from functools import reduce
from operator import and_, or_

CHUNK = 8192
"""Positions in a chunk; the same number as in the migration."""

_BITMAP_BYTES = CHUNK // 8
_MAX_LISTED = 128
_ABSENT, _PRESENT = b"0", ord("1")


class Bitmap(int):
    """Offsets as an integer, the first being the highest bit."""


Offsets = Collection[int] | Bitmap


def pack_offsets(listed: bytes) -> bytes:
    """Return a list of offsets in the form that is stored for its length."""
    if len(listed) <= 2 * _MAX_LISTED or len(listed) == _BITMAP_BYTES:
        return listed
    return _bitmap(_unpack_list(listed)).to_bytes(_BITMAP_BYTES, "big")


def union(postings: Iterable[tuple[int, bytes]]) -> Offsets:
    """Return the offsets of several values, given each value's total and stored bytes.

    No offset may occur twice: the values are of one facet, and an event has one value of it.
    """
    lists: list[bytes] = []
    bitmaps: list[bytes] = []
    for total, raw in postings:
        (lists if len(raw) == 2 * total else bitmaps).append(raw)
    offsets = _unpack_list(b"".join(lists))
    if not bitmaps:
        return offsets
    bits = reduce(or_, (int.from_bytes(raw, "big") for raw in bitmaps))
    return Bitmap(bits | int.from_bytes(_small_bitmap(offsets), "big") if offsets else bits)


def intersection(sets: list[Offsets]) -> Offsets:
    """Return the offsets that occur in all sets, of which there must be one at least."""
    if len(sets) == 1:
        return sets[0]
    lists = sorted((offsets for offsets in sets if not isinstance(offsets, Bitmap)), key=len)
    bitmaps = [offsets for offsets in sets if isinstance(offsets, Bitmap)]
    common = set(lists[0]).intersection(*lists[1:]) if lists else None
    if not bitmaps or common == set():
        return common or ()
    bits = reduce(and_, bitmaps)
    if common is None:
        return Bitmap(bits)
    raw = bits.to_bytes(_BITMAP_BYTES, "big")
    return [offset for offset in common if raw[offset >> 3] << (offset & 7) & 0x80]


def count(offsets: Offsets) -> int:
    """Return the number of offsets."""
    return offsets.bit_count() if isinstance(offsets, Bitmap) else len(offsets)


def ascending(offsets: Offsets) -> Iterator[int]:
    """Yield the offsets in ascending order."""
    if not isinstance(offsets, Bitmap):
        yield from sorted(offsets)
        return
    digits = f"{offsets:0{CHUNK}b}"
    offset = digits.find("1")
    while offset >= 0:
        yield offset
        offset = digits.find("1", offset + 1)


def _unpack_list(raw: bytes) -> array[int]:
    offsets = array("H", raw)
    if sys.byteorder == "little":
        offsets.byteswap()
    return offsets


def _bitmap(offsets: Iterable[int]) -> Bitmap:
    digits = bytearray(_ABSENT * CHUNK)
    for offset in offsets:
        digits[offset] = _PRESENT
    return Bitmap(int(digits, 2))


def _small_bitmap(offsets: Iterable[int]) -> bytearray:
    """Return a bitmap of a few offsets; for these, setting bits is faster than converting digits."""
    raw = bytearray(_BITMAP_BYTES)
    for offset in offsets:
        raw[offset >> 3] |= 0x80 >> (offset & 7)
    return raw

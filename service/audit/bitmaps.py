"""The offsets at which a value occurs in a chunk of the ledger, as a posting keeps them. Pure.

A value that occurs up to 128 times has a list: two bytes each, big-endian, in any order. One that occurs oftener has a
bitmap of 1,024 bytes, the first offset being the highest bit of the first byte: bitmaps are intersected word by word,
where lists have to be gone through. The total tells which: a list has twice as many bytes (so 512 offsets are a list).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Collection, Iterable, Iterator
from functools import reduce
from operator import and_, or_

CHUNK = 8192
"""Positions in a chunk; as in the migration."""

_BYTES = CHUNK // 8
_MOST_LISTED = 128
_NONE, _ONE = b"0", ord("1")


class Bitmap(int):
    """Offsets as an integer, the first being the highest bit."""


Offsets = Collection[int] | Bitmap


def pack_offsets(listed: bytes) -> bytes:
    """Return a list as it is kept."""
    if len(listed) <= 2 * _MOST_LISTED or len(listed) == _BYTES:
        return listed
    return _bits(_listed(listed)).to_bytes(_BYTES, "big")


def union(kept: Iterable[tuple[int, bytes]]) -> Offsets:
    """Return the offsets of some values of which an event has only one, each with its total."""
    lists: list[bytes] = []
    bitmaps: list[bytes] = []
    for total, raw in kept:
        (lists if len(raw) == 2 * total else bitmaps).append(raw)
    offsets = _listed(b"".join(lists))
    if not bitmaps:
        return offsets
    bits = reduce(or_, (int.from_bytes(each, "big") for each in bitmaps))
    return Bitmap(bits | int.from_bytes(_few(offsets), "big") if offsets else bits)


def intersection(several: list[Offsets]) -> Offsets:
    """Return the offsets that all have."""
    if len(several) == 1:
        return several[0]
    lists = sorted((each for each in several if not isinstance(each, Bitmap)), key=len)
    bitmaps = [each for each in several if isinstance(each, Bitmap)]
    least = set(lists[0]).intersection(*lists[1:]) if lists else None
    if not bitmaps or least == set():
        return least or ()
    bits = reduce(and_, bitmaps)
    if least is None:
        return Bitmap(bits)
    raw = bits.to_bytes(_BYTES, "big")
    return [offset for offset in least if raw[offset >> 3] << (offset & 7) & 0x80]


def count(offsets: Offsets) -> int:
    """Return how many there are."""
    return offsets.bit_count() if isinstance(offsets, Bitmap) else len(offsets)


def ascending(offsets: Offsets) -> Iterator[int]:
    """Give them in order."""
    if not isinstance(offsets, Bitmap):
        yield from sorted(offsets)
        return
    digits = f"{offsets:0{CHUNK}b}"
    at = digits.find("1")
    while at >= 0:
        yield at
        at = digits.find("1", at + 1)


def _listed(raw: bytes) -> array[int]:
    offsets = array("H", raw)
    if sys.byteorder == "little":
        offsets.byteswap()
    return offsets


def _bits(offsets: Iterable[int]) -> Bitmap:
    digits = bytearray(_NONE * CHUNK)
    for offset in offsets:
        digits[offset] = _ONE
    return Bitmap(int(digits, 2))


def _few(offsets: Iterable[int]) -> bytearray:
    """Return a bitmap of some offsets: quicker than by their digits where they are not many."""
    raw = bytearray(_BYTES)
    for offset in offsets:
        raw[offset >> 3] |= 0x80 >> (offset & 7)
    return raw

"""Ranges of positions, and which parts of a range others cover. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Positions(NamedTuple):
    """The positions from `first` to `last`, both included; none if `last` is less than `first`."""

    first: int
    last: int


def uncovered(within: Positions, covered: Iterable[Positions]) -> list[Positions]:
    """Return the parts of a range that no other one covers, in order."""
    parts = []
    first = within.first
    for one in sorted(one for one in covered if one.first <= one.last):
        if one.first > within.last:
            break
        if one.first > first:
            parts.append(Positions(first, one.first - 1))
        first = max(first, one.last + 1)
    return [*parts, Positions(first, within.last)] if first <= within.last else parts


def covered_parts(within: Positions, covered: Iterable[Positions]) -> list[Positions]:
    """Return the parts of a range that others cover, in order, as few and as long as possible."""
    return uncovered(within, uncovered(within, covered))


def pieces(of: Positions, size: int) -> list[Positions]:
    """Return a range in pieces that end at multiples of `size`, so that each has `size` positions at most."""
    found = []
    first = of.first
    while first <= of.last:
        last = min(((first - 1) // size + 1) * size, of.last)
        found.append(Positions(first, last))
        first = last + 1
    return found

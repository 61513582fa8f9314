"""What a planted fault is, and how it is put into a copy of the tree."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Mutant(NamedTuple):
    """A fault: `old`, which occurs once in `file`, becomes `new`, and then each of `tests` must fail.

    `tests` are node ids of pytest below tests/, without parameters: of a test with several, one must fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def mutated(mutant: Mutant, text: str) -> str:
    """Return the text of the mutant's file with the fault. Raises ValueError where it does not apply exactly once."""
    count = text.count(mutant.old)
    if count != 1:
        raise ValueError(f"{mutant.file} has {count} times {mutant.old!r}; write the fault anew")
    if mutant.old == mutant.new:
        raise ValueError(f"{mutant.old!r} is replaced by itself")
    return text.replace(mutant.old, mutant.new)

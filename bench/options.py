"""Command line options."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """How much to measure, and the file for the figures."""

    rounds: int
    seconds: int
    connections: tuple[int, ...]
    quick: bool
    json: Path | None


def read_options(description: str, arguments: list[str] | None = None) -> Options:
    """Parse the command line; --quick is one short round at 64 connections, for a first impression."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=_positive, help="rounds, of which medians are taken (default 3)")
    parser.add_argument("--seconds", type=_positive, help="seconds of each measurement (default 3)")
    parser.add_argument("--connections", type=_connections, help="concurrent connections (default 1,64,256)")
    parser.add_argument("--quick", action="store_true", help="1 round of 2 s at 64 connections, everything smaller")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample and figure to FILE")
    given = parser.parse_args(arguments)
    quick: bool = given.quick
    return Options(
        rounds=given.rounds or (1 if quick else 3),
        seconds=given.seconds or (2 if quick else 3),
        connections=given.connections or ((64,) if quick else (1, 64, 256)),
        quick=quick,
        json=given.json,
    )


def _positive(text: str) -> int:
    if not 1 <= int(text) <= 60:
        raise argparse.ArgumentTypeError("1 to 60")
    return int(text)


def _connections(text: str) -> tuple[int, ...]:
    found = tuple(int(part) for part in text.split(","))
    if not all(1 <= count <= 1000 for count in found):
        raise argparse.ArgumentTypeError("1 to 1000, separated by commas")
    return found

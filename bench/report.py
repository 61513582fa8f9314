"""Computes medians and ratios of samples; prints tables and writes JSON."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from bench.stage import Sample

BARE_OPERATION = {"complete": "start", "start, read first": "start", "event 300 B, one run": "event 300 B"}
"""The operation of the bare handler that an operation is compared with, where it differs."""


@dataclass(frozen=True)
class Row:
    """A row of the table: medians over the rounds."""

    operation: str
    competitor: str
    connections: int
    rate: float
    to_bare: float | None
    to_transaction: float | None
    p50_ms: float
    p99_ms: float
    cpu_us: float
    cpu_postgres_us: float


@dataclass(frozen=True)
class Answered:
    """A question with the number of results, and the milliseconds of each answer."""

    group: str
    question: str
    place: str
    found: int
    times_ms: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        """The median."""
        return statistics.median(self.times_ms)


@dataclass(frozen=True)
class Goal:
    """A bound on a figure, the measured figure, and whether the bound is met (None: not measured)."""

    name: str
    wanted: str
    measured: float | None
    reached: bool | None

    @classmethod
    def at_least(cls, name: str, bound: float, measured: float | None, unit: str = "") -> Goal:
        """Return a goal that is a lower bound."""
        return cls(name, f"≥ {bound:g}{unit}", measured, None if measured is None else measured >= bound)

    @classmethod
    def at_most(cls, name: str, bound: float, measured: float | None, unit: str = "") -> Goal:
        """Return a goal that is an upper bound."""
        return cls(name, f"≤ {bound:g}{unit}", measured, None if measured is None else measured <= bound)


def rows_of(samples: Sequence[Sample]) -> list[Row]:
    """Return the rows of the table, by connections and in order of first appearance."""
    keys = dict.fromkeys((s.operation, s.competitor, s.connections) for s in samples)
    operations = list(dict.fromkeys(s.operation for s in samples))
    return [_row(samples, *key) for key in sorted(keys, key=lambda key: (key[2], operations.index(key[0])))]


def _row(samples: Sequence[Sample], operation: str, competitor: str, connections: int) -> Row:
    mine = [s for s in samples if (s.operation, s.competitor, s.connections) == (operation, competitor, connections)]

    def median(figure: Callable[[Sample], float]) -> float:
        return statistics.median(figure(sample) for sample in mine)

    def ratio(other: str, compared: str) -> float | None:
        rates = {
            s.round: s.result.rate
            for s in samples
            if (s.operation, s.competitor, s.connections) == (compared, other, connections)
        }
        found = [s.result.rate / rates[s.round] for s in mine if s.round in rates]
        return statistics.median(found) if found and competitor != other else None

    return Row(
        operation,
        competitor,
        connections,
        median(lambda s: s.result.rate),
        ratio("bare", BARE_OPERATION.get(operation, operation)),
        ratio("transaction", operation) if competitor == "service" else None,
        median(lambda s: s.result.p50_ms),
        median(lambda s: s.result.p99_ms),
        median(lambda s: s.cpu_us),
        median(lambda s: s.cpu_postgres_us),
    )


def find(rows: Iterable[Row], operation: str, connections: int, competitor: str = "service") -> Row | None:
    """Return a row; None if it was not measured."""
    for row in rows:
        if (row.operation, row.connections, row.competitor) == (operation, connections, competitor):
            return row
    return None


def figure(row: Row | None, name: str) -> float | None:
    """Return a figure of a row; None if there is no such row or figure."""
    found: float | None = getattr(row, name, None)
    return found


def rates_table(rows: Iterable[Row]) -> Table:
    """Return the table of rates and latencies."""
    table = _table(
        "operation",
        "competitor",
        "conn.",
        "req/s",
        "to bare",
        "to tx/request",
        "p50 ms",
        "p99 ms",
        "CPU µs",
        "PG CPU µs",
    )
    for row in rows:
        table.add_row(
            row.operation,
            row.competitor,
            str(row.connections),
            f"{row.rate:,.0f}",
            _ratio(row.to_bare),
            _ratio(row.to_transaction),
            f"{row.p50_ms:.2f}",
            f"{row.p99_ms:.2f}",
            f"{row.cpu_us:.0f}",
            f"{row.cpu_postgres_us:.0f}",
        )
    return table


def goals_table(goals: Iterable[Goal]) -> Table:
    """Return the table of goals."""
    table = _table("goal", "wanted", "measured", "reached")
    for goal in goals:
        measured = "not measured" if goal.measured is None else f"{goal.measured:,.2f}"
        table.add_row(goal.name, goal.wanted, measured, {None: "", True: "yes", False: "NO"}[goal.reached])
    return table


def answers_table(answers: Iterable[Answered]) -> Table:
    """Return the table of the times of each question's answers."""
    table = _table("question", "place", "found", "median ms", "highest ms")
    for each in answers:
        milliseconds = f"{each.median_ms:.1f}", f"{max(each.times_ms):.1f}"
        table.add_row(each.question, each.place, f"{each.found:,}", *milliseconds)
    return table


def facts_table(facts: dict[str, Any]) -> Table:
    """Return a table of names and values."""
    table = _table("figure", "value")
    for name, value in facts.items():
        label = name.replace("_", " ") if name.isidentifier() else name
        table.add_row(label, f"{value:,.2f}" if isinstance(value, float) else str(value))
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.MARKDOWN)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def show(*parts: object) -> None:
    """Print to standard output, wide enough for a table even if that is a file."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=130)
    for part in parts:
        console.print(part)


def write_json(file: Path, samples: Sequence[Sample], figures: dict[str, Any]) -> None:
    """Write every sample and every figure as JSON."""
    file.write_text(json.dumps({**figures, "samples": [asdict(s) for s in samples]}, indent=1) + "\n")

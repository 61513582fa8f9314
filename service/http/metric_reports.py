"""The metrics of one process as a report, and the sum of the reports of all worker processes of a service.

Each worker counts by itself. A scrape reaches any one of them, which asks the others through `Siblings`, so that every
scrape shows the whole service. Decision record: docs/decisions/0033-metrics-of-workers.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


class Sample(NamedTuple):
    """A series and its value: the name with its suffix, and the labels with their values in order."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


class Family(NamedTuple):
    """A metric: the name without suffix, the type of Prometheus, the help text, and its series."""

    name: str
    type: str
    documentation: str
    samples: list[Sample]


Report = list[Family]
"""The metrics of a process."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Report)


class Gathered(NamedTuple):
    """What the other workers report, encoded, and the number of workers: configured, answering in time, replaced."""

    reports: list[bytes]
    workers: int
    answering: int
    restarts: int


class Siblings(Protocol):
    """The other workers of a service."""

    def start(self, report: Callable[[], bytes]) -> None:
        """Answer the questions of other workers with `report`, the encoded report of this process."""

    async def gather(self, own: bytes) -> Gathered:
        """Return the reports of the others; `own` is that of this process. Raises Unavailable."""

    async def close(self) -> None:
        """Answer no more questions."""


class NoSiblings:
    """A service of a single process."""

    def start(self, report: Callable[[], bytes]) -> None:
        """Do nothing: no other process asks for the report."""

    async def gather(self, own: bytes) -> Gathered:  # noqa: ARG002  one of Siblings
        """Return no reports."""
        return Gathered([], 1, 1, 0)

    async def close(self) -> None:
        """Do nothing."""


SIBLINGS: web.AppKey[Siblings] = web.AppKey("siblings", Siblings)


_LARGEST = frozenset({
    "runfold_build_info",
    "runfold_ledger_losses",  # every worker sees the same losses
    "runfold_queue_saturation",
    "runfold_recorded_at_ahead_seconds",
    "python_info",
})  # fmt: skip
_SMALLEST = frozenset({
    "process_start_time_seconds",
    "runfold_database_up",
    "runfold_database_writable",
    "runfold_projector_up",
    "runfold_silence_monitor_up",
})  # fmt: skip
_OF_ENDED = frozenset({"counter", "histogram"})
"""Types of metrics that only grow: a service that replaced a worker goes on from what that worker had counted."""


def make_report(families: Iterable[Metric]) -> Report:
    """Return the report with some metrics."""
    return [
        Family(
            family.name,
            family.type,
            family.documentation,
            [Sample(each.name, tuple(each.labels.items()), float(each.value)) for each in family.samples],
        )
        for family in families
    ]


def encode(report: Report) -> bytes:
    """Return a report as another process reads it."""
    return _encoder.encode(report)


def decode(report: bytes) -> Report:
    """Return an encoded report."""
    return _decoder.decode(report)


def merge(reports: Iterable[Report]) -> Report:
    """Return the metrics of a service from the reports of its processes.

    Values are added up; see _LARGEST and _SMALLEST for those where a sum means nothing.
    """
    merged: dict[str, Family] = {}
    values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in (family for report in reports for family in report):
        combine = _combination(family.name)
        target = merged.setdefault(family.name, family._replace(samples=[]))
        for sample in family.samples:
            key = (sample.name, sample.labels)
            if key in values:
                values[key] = combine(values[key], sample.value)
            else:
                values[key] = sample.value
                target.samples.append(sample)
    return [
        family._replace(samples=[each._replace(value=values[each.name, each.labels]) for each in family.samples])
        for family in merged.values()
    ]


def _combination(name: str) -> Callable[[float, float], float]:
    if name in _LARGEST:
        return max
    return min if name in _SMALLEST else float.__add__


def growing_only(report: Report) -> Report:
    """Return the counters and histograms of a process that has ended: they must not vanish from the sums."""
    return [family for family in report if family.type in _OF_ENDED]


def render(report: Report) -> bytes:
    """Return a report in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Rendered(report))
    return generate_latest(registry)


class _Rendered(Collector):
    def __init__(self, report: Report) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        for family in self._report:
            metric = Metric(family.name, family.documentation, family.type)
            for sample in family.samples:
                metric.add_sample(sample.name, dict(sample.labels), sample.value)
            yield metric

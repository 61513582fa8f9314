"""Reads which runs wrote what a run read, and which runs read what it wrote.

What a run read of a dataset was written by the run that wrote it last before that, in the order of the times of events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.catalog.queries import EVERY, PAGE_BYTES, VISIBLE_RUN, condition, load_page, may_see
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.binding import Binding
from service.domain.dataset_versions import dataset_version_id
from service.domain.event import DatasetName, Subject
from service.domain.ids import dataset_id
from service.domain.run import RunRegisters
from service.domain.run_datasets import RunDataset, RunDatasets, merge_run_datasets
from service.ledger.events import LOG
from service.ledger.ledger_registers import read_registers
from service.lineage.graph_statements import Parts
from service.lineage.stored import unpack_run_datasets
from service.lineage.versions_at import versions_at

_MAX_EVENTS = 10_000
"""Events of a dataset that are looked at to find the readers of what one run wrote."""


class RunInput(NamedTuple):
    """What a run read: a version of a dataset, and the run that wrote it; None where none is known, or may be seen."""

    dataset: DatasetName
    version: UUID
    producer: UUID | None


class LineageRun(NamedTuple):
    """A run with what it read. `job_version`: None where its events name no datasets."""

    id: UUID
    registers: RunRegisters
    job_version: UUID | None
    inputs: Sequence[RunInput]


class RunLineageResult(NamedTuple):
    """Runs, the nearest first, and those of which neighbours are left out."""

    runs: Sequence[LineageRun]
    cut: Sequence[UUID]


class _Told(NamedTuple):
    """What a run read and wrote, for all of its jobs, and the version of one of them."""

    job_version: UUID
    datasets: RunDatasets


MAX_RUNS = 1_000
"""Most runs of an answer."""


def _run_statement(*, bound: bool) -> str:
    within = load_text("within", namespace="t.namespace") if bound else EVERY
    return load_page("runs_by_id", within=within, visible_run=VISIBLE_RUN if bound else EVERY)


_RUNS = {bound: _run_statement(bound=bound) for bound in (False, True)}
_DATASETS = load_page("run_lineage_datasets")
_NAMES = Parts(bound=True).names("w.id")  # of a dataset that is named by any of its names
_PRODUCERS, _READERS = load("producers", names=_NAMES), load("readers", names=_NAMES)


class RunLineage:
    """Follows runs. Every method raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def read(
        self, run: UUID, depth: int, limit: int, binding: Binding | None, *, downstream: bool
    ) -> RunLineageResult:
        """Return a run and the runs up to a number of steps away; nothing where the run is unknown.

        Upstream are those that wrote what a run read, downstream those that read what it wrote.
        """
        found: dict[UUID, LineageRun] = {}
        seen: set[UUID] = {run}
        before: list[UUID] = []
        level: dict[UUID, set[UUID]] = {run: set()}
        for step in range(depth + 1):
            wanted = list(level)[: limit - len(found)]
            runs, has_all_runs = await self._runs(wanted, binding)
            told, has_all_datasets = await self._told(list(runs))
            inputs = await self._inputs(told, binding)
            if downstream and step:  # others of the candidates read what another run wrote
                runs = {id_: each for id_, each in runs.items() if not level[id_].isdisjoint(_producers(inputs[id_]))}
            found |= {
                id_: LineageRun(id_, each, told[id_].job_version if id_ in told else None, inputs[id_])
                for id_, each in runs.items()
            }
            if len(wanted) < len(level) or not (has_all_runs and has_all_datasets):
                return RunLineageResult(list(found.values()), before)
            before = list(runs)
            if step < depth:
                following = await self._readers(runs, told, binding) if downstream else _writers(runs, inputs)
                level = {id_: others for id_, others in following.items() if id_ not in seen}
                seen |= level.keys()
            if not level or not runs:
                break
        return RunLineageResult(list(found.values()), [])

    async def _runs(self, ids: Sequence[UUID], binding: Binding | None) -> tuple[dict[UUID, RunRegisters], bool]:
        """Return those runs that exist and may be seen, and whether these are all of them."""
        rows = await self._connections.fetch(_RUNS[binding is not None], ids, *condition(binding), PAGE_BYTES)
        registers = await read_registers(self._connections, LOG, Subject.RUN, rows)
        runs = {row["id"]: run for row, run in zip(rows, registers, strict=True) if may_see(binding, run)}
        return runs, not rows or len(rows) == rows[0]["found"]

    async def _told(self, ids: Sequence[UUID]) -> tuple[dict[UUID, _Told], bool]:
        """Return what runs read and wrote, of one that belongs to several jobs all of it; and whether that is all."""
        told: dict[UUID, _Told] = {}
        rows = await self._connections.fetch(_DATASETS, ids, PAGE_BYTES)
        for row in rows:
            datasets, known = unpack_run_datasets(row["registers"]), told.get(row["id"])
            if known is None:
                told[row["id"]] = _Told(row["job_version"], datasets)
            else:
                told[row["id"]] = known._replace(datasets=merge_run_datasets(known.datasets, datasets))
        return told, not rows or len(rows) == rows[0]["found"]

    async def _inputs(self, told: Mapping[UUID, _Told], binding: Binding | None) -> Mapping[UUID, list[RunInput]]:
        """Return what runs read, with the runs that wrote it, in the order of the names."""
        reads = [
            (run, name, _first_time(dataset), dataset.version)
            for run, each in told.items()
            for name, dataset in sorted(each.datasets.inputs.items())
            if binding is None or binding.allows(name.namespace)
        ]
        moments = [(dataset_id(*name), at) for _, name, at, _ in reads]
        ids, ats, runs = [id_ for id_, _ in moments], [at for _, at in moments], [run for run, *_ in reads]
        rows = await self._connections.fetch(_PRODUCERS, ids, ats, runs) if reads else []
        producers = {row["n"]: row["run_id"] for row in rows}
        if binding is not None:
            seen, _ = await self._runs(list(set(producers.values())), binding)
            producers = {number: run for number, run in producers.items() if run in seen}
        versions = await versions_at(self._connections, set(moments), binding)
        inputs: dict[UUID, list[RunInput]] = defaultdict(list)
        for number, (run, name, _, version) in enumerate(reads, 1):
            id_ = version.version if version is not None else versions.get(moments[number - 1])
            inputs[run].append(RunInput(name, id_ or dataset_version_id(name, ()), producers.get(number)))
        return inputs

    async def _readers(
        self, runs: Iterable[UUID], told: Mapping[UUID, _Told], binding: Binding | None
    ) -> Mapping[UUID, set[UUID]]:
        """Return the runs that may have read what some runs wrote, with those that they may have it from."""
        writes = [
            (dataset_id(*name), _first_time(dataset), run)
            for run in runs
            if run in told
            for name, dataset in told[run].datasets.outputs.items()
            if binding is None or binding.allows(name.namespace)
        ]
        if not writes:
            return {}
        ids, ats, writers = zip(*writes, strict=True)
        found: dict[UUID, set[UUID]] = defaultdict(set)
        for row in await self._connections.fetch(_READERS, ids, ats, writers, _MAX_EVENTS, MAX_RUNS):
            found[row["run_id"]].add(row["writer_id"])
        return found


def _first_time(dataset: RunDataset) -> datetime:
    return min(moment.at for moment in dataset.moments)


def _producers(inputs: Iterable[RunInput]) -> set[UUID]:
    return {each.producer for each in inputs if each.producer is not None}


def _writers(runs: Iterable[UUID], inputs: Mapping[UUID, Sequence[RunInput]]) -> Mapping[UUID, set[UUID]]:
    """Return the runs that wrote what some runs read."""
    return {each.producer: set() for run in runs for each in inputs[run] if each.producer is not None}

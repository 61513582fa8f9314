"""Reads the lineage graph as it was: as it was known at a position of the ledger, or as it stood at a time.

A job has the edges of its latest run at that moment, of what that run's events up to then name. Which runs these are is
in no table, so the graph is read level by level: the runs of its jobs, then the jobs of its datasets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from service.catalog.queries import PAGE_BYTES, load_page
from service.database.connections import Connections
from service.database.statements import load
from service.domain.binding import Binding
from service.domain.dataset_versions import VersionContent
from service.domain.event import DatasetName
from service.domain.ids import dataset_id
from service.domain.run_datasets import RunDataset, RunDatasets
from service.lineage.graph import Graph, GraphDataset, GraphJob, GraphQuery, LineageGraph
from service.lineage.graph_statements import Parts, visible
from service.lineage.stored import unpack_run_datasets
from service.lineage.versions_at import version_contents, versions_at
from service.lineage.walk import INPUT, JobEdges, Node, Walk, steps_of

MAX_S = 5.0
"""Seconds after which no further level is read: the graph is cut there."""

_CANDIDATES = 8
"""Runs of a job that are considered: those that began last. A run of which an earlier event became known later may be
the latest one at an earlier moment, although another began after it as far as is known now."""

_JOBS_AT_ONCE = 500
_EDGES_OF_LEVEL = 20_000
"""Most edges of a level of datasets that are looked at, also of runs that are not the latest ones."""

_MAX_LEAD = timedelta(hours=25)
"""No event is recorded that happens more than 24 hours later."""

LATEST = datetime(9999, 12, 31, tzinfo=UTC)
"""After all times of events."""


class PastMoment(NamedTuple):
    """What is known at a position of the ledger about the time `at`; None: about any time."""

    position: int
    recorded_at: datetime | None
    at: datetime | None = None

    @property
    def bound(self) -> datetime:
        """The last time of which anything can be known."""
        known = LATEST if self.recorded_at is None else self.recorded_at + _MAX_LEAD
        return known if self.at is None else min(known, self.at)


class PastRun(NamedTuple):
    """The latest run of a job at a moment. `id`: None where the job was named or defined without a run."""

    id: UUID | None
    datasets: RunDatasets


class PastWalk(NamedTuple):
    """A walk, and the latest run of each of its jobs.

    `cut_from`: nodes from this index on were not looked at, because there was no time left or there was too much.
    """

    walk: Walk
    runs: Mapping[UUID, PastRun]
    cut_from: int | None


class _Statements(NamedTuple):
    runs: str
    jobs: str
    resolve: str


def _statements(*, bound: bool) -> _Statements:
    parts = Parts(bound)
    return _Statements(
        load_page("past_runs"),
        load("past_jobs", names=parts.names("w.id"), job=parts.job("e.job_id")),
        load("resolve_datasets", dataset=parts.dataset("w.id")),
    )


_STATEMENTS = {bound: _statements(bound=bound) for bound in (False, True)}


def latest_run(candidates: Iterable[tuple[UUID, bool, RunDatasets]], moment: PastMoment) -> PastRun | None:
    """Return the latest of some runs at a moment, with what was known then of its datasets; None if none was known."""
    found = []
    for run, is_run, datasets in candidates:
        inputs, outputs = (_known(each, moment) for each in (datasets.inputs, datasets.outputs))
        if inputs or outputs:
            began = min(_began(each, moment) for each in (*inputs.values(), *outputs.values()))
            known = datasets._replace(inputs=inputs, outputs=outputs, started_at=began)
            found.append((began, run, PastRun(run if is_run else None, known)))
    return max(found, key=lambda each: each[:2])[2] if found else None


def _known(datasets: Mapping[DatasetName, RunDataset], moment: PastMoment) -> dict[DatasetName, RunDataset]:
    return {name: each for name, each in datasets.items() if each.is_known(moment.at, moment.position)}


def _began(dataset: RunDataset, moment: PastMoment) -> datetime:
    return min(each.at for each in dataset.moments if each.position <= moment.position)


class PastGraph:
    """Reads the graph of a moment. Raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections, graph: LineageGraph) -> None:
        """Take the connections to read with, and what reads nodes."""
        self._connections = connections
        self._graph = graph

    async def read(self, start: Node, query: GraphQuery, moment: PastMoment, binding: Binding | None) -> Graph:
        """Return the graph around a node as it was; the node must exist now.

        Names, edges, runs and versions are those of the moment; the rest of what nodes are is as it is now.
        """
        walk, runs, cut_from = await self._walk(start, query, moment, binding)
        graph = await self._graph.describe(walk, query.limit, binding, moment.position)
        jobs = {id_: job._replace(run=runs[id_].id if id_ in runs else None) for id_, job in graph.jobs.items()}
        versions = await self._versions(graph.datasets, moment, binding)
        datasets = {id_: each._replace(version=versions.get(id_)) for id_, each in graph.datasets.items()}
        cut = list(graph.cut)
        if cut_from is not None:
            nodes = list(walk.distances)[cut_from : len(jobs) + len(datasets)]
            found: list[GraphJob | GraphDataset | None] = [
                (jobs if node.is_job else datasets).get(node.id) for node in nodes if walk.distances[node] < walk.steps
            ]
            cut += [each.name for each in found if each is not None]
        return Graph(jobs, datasets, list(dict.fromkeys(cut)), graph.runs)

    async def _versions(
        self, datasets: Iterable[UUID], moment: PastMoment, binding: Binding | None
    ) -> dict[UUID, VersionContent]:
        moments = [(id_, moment.bound) for id_ in datasets]
        told = await versions_at(self._connections, moments, binding, moment.position)
        wanted = [(id_, version) for (id_, _), version in told.items()]
        contents = await version_contents(self._connections, wanted, binding)
        return {id_: content for (id_, _), content in contents.items()}

    async def _walk(self, start: Node, query: GraphQuery, moment: PastMoment, binding: Binding | None) -> PastWalk:
        """Return the nodes around one; no level is read after the one that exceeds the limit."""
        steps = steps_of(query.depth, start)
        reading = PastReading(self._connections, query, moment, binding)
        distances = {start: 0}
        level = [start]
        ends_at = asyncio.get_running_loop().time() + MAX_S
        for distance in range(1, steps + 1):
            if not level or len(distances) > query.limit:
                break
            if reading.is_cut or asyncio.get_running_loop().time() >= ends_at:
                break
            following = await reading.neighbours(level)
            level = [node for node in dict.fromkeys(following) if node not in distances]
            distances |= dict.fromkeys(level, distance)
        else:
            level = []
        cut_from = list(distances).index(level[0]) if level and len(distances) <= query.limit else None
        return PastWalk(Walk(distances, reading.edges, query.direction, steps), reading.runs, cut_from)


class PastReading:
    """Reads the neighbours of nodes at a moment; `edges` and `runs` are those of the jobs that were read."""

    def __init__(
        self, connections: Connections, query: GraphQuery, moment: PastMoment, binding: Binding | None
    ) -> None:
        """Take the connections to read with, the direction of what is read, the moment, and the binding of the key."""
        self._connections = connections
        self._query = query
        self._moment = moment
        self._visible = visible(binding, moment.position)
        self._binding = binding
        self._statements = _STATEMENTS[binding is not None]
        self._shown: dict[DatasetName, UUID | None] = {}
        self.edges: dict[UUID, JobEdges] = {}
        self.runs: dict[UUID, PastRun] = {}
        self.is_cut = False
        """Whether not all neighbours were read."""

    async def neighbours(self, nodes: Sequence[Node]) -> list[Node]:
        """Return the neighbours of nodes, which are all jobs or all datasets, in their order."""
        ids = [node.id for node in nodes]
        if nodes[0].is_job:
            await self._read_runs(ids)
            directions = self._query.direction.from_job
            return [Node(id_, is_job=False) for job in ids for id_ in self.edges[job].along(directions)]
        directions = self._query.direction.from_dataset
        await self._read_runs(await self._jobs_of(ids, directions))
        touching: dict[UUID, list[Node]] = {id_: [] for id_ in ids}
        for job, edges in self.edges.items():
            for id_ in edges.along(directions):
                if id_ in touching:
                    touching[id_].append(Node(job, is_job=True))
        return [job for id_ in ids for job in touching[id_]]

    async def outputs_of_readers(self, datasets: Sequence[UUID]) -> list[UUID]:
        """Return what was written, at the moment, by jobs that had read datasets until then, be it in earlier runs."""
        jobs = await self._jobs_of(datasets, [INPUT])
        await self._read_runs(jobs)
        return list(dict.fromkeys(id_ for job in jobs for id_ in self.edges[job].outputs))

    async def _jobs_of(self, datasets: Sequence[UUID], directions: Sequence[int]) -> Sequence[UUID]:
        where = (datasets, directions, self._moment.bound, _EDGES_OF_LEVEL)
        (row,) = await self._connections.fetch(self._statements.jobs, *where, *self._visible)
        self.is_cut |= row["edges"] >= _EDGES_OF_LEVEL
        jobs: Sequence[UUID] = row["jobs"]
        return jobs

    async def _read_runs(self, jobs: Sequence[UUID]) -> None:
        """Read the latest run of each job that was not read yet, and its edges."""
        unread = [job for job in jobs if job not in self.edges]
        for start in range(0, len(unread), _JOBS_AT_ONCE):
            await self._read_some_runs(unread[start : start + _JOBS_AT_ONCE])

    async def _read_some_runs(self, jobs: Sequence[UUID]) -> None:
        where = (jobs, self._moment.bound, self._moment.position, _CANDIDATES)
        rows = await self._connections.fetch(self._statements.runs, *where, PAGE_BYTES)
        self.is_cut |= bool(rows) and len(rows) < rows[0]["found"]
        candidates: dict[UUID, list[tuple[UUID, bool, RunDatasets]]] = {job: [] for job in jobs}
        for row in rows:
            candidates[row["id"]].append((row["run_id"], row["is_run"], unpack_run_datasets(row["registers"])))
        found = {job: latest_run(runs, self._moment) for job, runs in candidates.items()}
        known = {job: run for job, run in found.items() if run is not None}
        await self._show(
            {name for run in known.values() for each in (run.datasets.inputs, run.datasets.outputs) for name in each}
        )
        self.runs |= known
        self.edges |= dict.fromkeys(jobs, JobEdges())
        for job, run in known.items():
            self.edges[job] = JobEdges(self._ids(run.datasets.inputs), self._ids(run.datasets.outputs))

    def _ids(self, names: Iterable[DatasetName]) -> Sequence[UUID]:
        return list(dict.fromkeys(id_ for name in sorted(names) if (id_ := self._shown[name]) is not None))

    async def _show(self, names: Iterable[DatasetName]) -> None:
        """Find out under which ids datasets are shown, by any of their names."""
        unknown = {dataset_id(*name): name for name in names if name not in self._shown}
        if not unknown:
            return
        self._shown |= dict.fromkeys(unknown.values())
        for row in await self._connections.fetch(self._statements.resolve, list(unknown), *self._visible):
            self._shown[unknown[row["id"]]] = row["shown_id"]

"""Reads the lineage graph as it is: jobs, the datasets that they read and write, and what is connected with them.

The statements return as much as a limit allows, and end then: a dataset with 50,000 readers is not read to its end.
For an API key that is bound to namespaces, the nodes of others do not exist, and ways end there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from service.catalog.batches import Pauses
from service.catalog.queries import PAGE_BYTES, RunItem, condition, may_see
from service.database.connections import Connections
from service.domain.binding import Binding
from service.domain.dataset import DatasetRegisters, merge_aliases
from service.domain.dataset_versions import VersionContent
from service.domain.event import DatasetName, JobName, Subject
from service.domain.ids import dataset_id, job_id
from service.domain.job import JobRegisters
from service.domain.node_ids import NodeKind, NodeText, splits
from service.ledger.events import LOG
from service.ledger.ledger_registers import read_registers
from service.lineage.graph_statements import ANY_POSITION, DATASET_NAMES, STATEMENTS, visible
from service.lineage.run_lineage import RunLineage, RunLineageReader
from service.lineage.stored import unpack_dataset
from service.lineage.walk import Direction, JobEdges, Node, Walk, steps_of
from service.payloads.parent_facet import parent_job

MAX_EDGES = 100_000
"""Most edges of a graph. The job with which there are more, and those behind it, are left out."""

MAX_EDGE_TEXT = 16 * 1024 * 1024
"""Characters of the names at both ends of edges, which an answer has three times. Names of datasets may be long."""

_MAX_ANCESTORS = 20
"""Most jobs between a job and the outermost one of its parents."""


class GraphQuery(NamedTuple):
    """What is wanted of a graph. `all_edges`: also those of earlier runs than the latest one of each job."""

    depth: int
    limit: int
    direction: Direction = Direction.BOTH
    all_edges: bool = False
    with_parents: bool = False


class GraphJob(NamedTuple):
    """A job, the datasets that it reads and writes, its newest run, and the job in whose run that one ran.

    `run`: the id of the run whose edges these are, where the graph is that of a moment.
    """

    name: JobName
    registers: JobRegisters
    inputs: Sequence[DatasetName]
    outputs: Sequence[DatasetName]
    latest: RunItem | None = None
    parent: JobName | None = None
    run: UUID | None = None


class GraphDataset(NamedTuple):
    """A dataset, under the name that the graph has.

    `version`: what it was, where the graph is that of a moment and a version was told until then.
    """

    name: DatasetName
    registers: DatasetRegisters
    version: VersionContent | None = None


class Graph(NamedTuple):
    """Nodes by their ids, and those of them that may have neighbours which are left out.

    `runs`: what the newest runs of the jobs read and wrote, by the ids of the runs.
    """

    jobs: Mapping[UUID, GraphJob]
    datasets: Mapping[UUID, GraphDataset]
    cut: Sequence[JobName | DatasetName]
    runs: Mapping[UUID, RunLineage]


class _Rows(NamedTuple):
    """What was read of nodes. `known`: of so many of them, from the first on, it is known whether they exist."""

    found: dict[UUID, Any]
    known: int


class _Contents(NamedTuple):
    jobs: _Rows
    datasets: _Rows
    latest: _Rows
    runs: Mapping[UUID, RunLineage]


_NO_RUNS: Mapping[UUID, RunLineage] = {}


class LineageGraph:
    """Reads the lineage graph. Every method raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections
        self._runs = RunLineageReader(connections)

    async def find(self, text: NodeText, binding: Binding | None, position: int = ANY_POSITION) -> Node | None:
        """Return the job or dataset that an id means: the first reading of it that exists; None if there is none.

        A dataset is found by each of its names, and returned with the id of the one under which the graph has it.
        Deletions after a position do not count.
        """
        is_job, names = text.kind is NodeKind.JOB, splits(text.names)
        id_of = job_id.__wrapped__ if is_job else dataset_id.__wrapped__  # most of them do not exist: no cache
        pauses, ids = Pauses(), []
        for name in names:
            await pauses.pause()
            if binding is None or binding.allows(name.namespace):
                ids.append(id_of(*name[:2]))
        statements = STATEMENTS[binding is not None]
        statement = statements.find_job if is_job else statements.find_dataset
        rows = await self._connections.fetch(statement, ids, *visible(binding, position))
        return Node(rows[0]["id"], is_job) if rows else None

    async def read(self, start: Node, query: GraphQuery, binding: Binding | None) -> Graph:
        """Return the graph around a node, which must exist."""
        distances = await self._distances(start, query, binding)
        jobs = [node.id for node in distances if node.is_job]
        edges, contents = await asyncio.gather(
            self._edges(jobs, query, binding),
            self._contents(list(distances)[: query.limit], binding, ANY_POSITION),
        )
        walk = Walk(distances, edges, query.direction, steps_of(query.depth, start))
        graph = await self._describe(walk, min(query.limit, _known_edges(walk)), contents, binding)
        return await self._with_parents(graph, query, binding) if query.with_parents else graph

    async def describe(self, walk: Walk, limit: int, binding: Binding | None, position: int) -> Graph:
        """Return the first nodes of a walk with what they are: as many as there is space for in an answer.

        Deletions after the position do not count, and the newest runs of jobs are left out.
        """
        contents = await self._contents(list(walk.distances)[:limit], binding, position)
        return await self._describe(walk, limit, contents, binding)

    async def _describe(self, walk: Walk, limit: int, contents: _Contents, binding: Binding | None) -> Graph:
        """Return the first nodes of a walk; `contents`: of these, or of more."""
        nodes, cut = walk.cut(limit)
        fitting = _fitting(nodes, contents)
        if fitting < len(nodes):
            nodes, cut = walk.cut(fitting)
        datasets = {
            node.id: GraphDataset(DatasetName(registers.namespace, registers.name), registers)
            for node in nodes
            if not node.is_job and (registers := contents.datasets.found.get(node.id)) is not None
        }
        edges = {node.id: walk.edges[node.id] for node in nodes if node.is_job and node.id in contents.jobs.found}
        jobs = await self._jobs(edges, contents, {id_: each.name for id_, each in datasets.items()}, binding)
        if len(jobs) < len(edges):  # the names at their edges are too long
            left_out = {Node(id_, is_job=True) for id_ in edges.keys() - jobs.keys()}
            nodes, cut = walk.cut(next(index for index, node in enumerate(nodes) if node in left_out))
            kept = set(nodes)
            jobs = {id_: each for id_, each in jobs.items() if Node(id_, is_job=True) in kept}
            datasets = {id_: each for id_, each in datasets.items() if Node(id_, is_job=False) in kept}
        missing = [
            jobs[node.id].name if node.is_job else datasets[node.id].name
            for node in cut
            if node.id in (jobs if node.is_job else datasets)
        ]
        return Graph(jobs, datasets, missing, contents.runs)

    async def _jobs(
        self,
        edges: Mapping[UUID, JobEdges],
        contents: _Contents,
        names: dict[UUID, DatasetName],
        binding: Binding | None,
    ) -> dict[UUID, GraphJob]:
        """Return jobs with their inputs and outputs, also those that are no nodes; `names` are those of the nodes.

        These are the first jobs, and at least one, where the names at their edges have more than MAX_EDGE_TEXT.
        """
        named = (id_ for each in edges.values() for id_ in (*each.inputs, *each.outputs))
        unnamed = [id_ for id_ in dict.fromkeys(named) if id_ not in names]
        rows: Sequence[Any] = ()
        if unnamed:
            rows = await self._connections.fetch(DATASET_NAMES, unnamed, MAX_EDGE_TEXT)
            names |= {row["id"]: DatasetName(row["namespace"], row["name"]) for row in rows}
        jobs: dict[UUID, GraphJob] = {}
        length_of = {name: len(name.namespace) + len(name.name) for name in names.values()}.__getitem__
        text_left, pauses = MAX_EDGE_TEXT, Pauses()
        for id_, each in edges.items():
            await pauses.pause()
            job = contents.jobs.found[id_]
            inputs, outputs = (sorted([names[dataset] for dataset in ids if dataset in names]) for ids in each)
            own = (len(job.namespace) + len(job.name)) * (len(inputs) + len(outputs))
            text_left -= own + sum(map(length_of, inputs)) + sum(map(length_of, outputs))
            lacks_names = len(rows) < len(unnamed) and len(inputs) + len(outputs) < len(each.inputs) + len(each.outputs)
            if jobs and (text_left < 0 or lacks_names):
                break
            latest = contents.latest.found.get(id_)
            parent = parent_job(latest.registers.run_facets) if latest else None
            if parent is not None and binding is not None and not binding.allows(parent.namespace):
                parent = None
            jobs[id_] = GraphJob(JobName(job.namespace, job.name), job, inputs, outputs, latest, parent)
        return jobs

    async def _with_parents(self, graph: Graph, query: GraphQuery, binding: Binding | None) -> Graph:
        """Add the jobs in whose runs those of the graph ran, and their parents, as far as the limit allows."""
        jobs, cut, runs, added = dict(graph.jobs), list(graph.cut), dict(graph.runs), graph.jobs
        for _ in range(_MAX_ANCESTORS):
            children = {job_id(*job.parent): job.name for job in added.values() if job.parent is not None}
            parents = [id_ for id_ in children if id_ not in jobs]
            left = max(0, query.limit - len(jobs) - len(graph.datasets))
            cut += [children[id_] for id_ in parents[left:]]
            if not parents[:left]:
                break
            edges = await self._edges(parents[:left], query, binding)
            contents = await self._contents([Node(id_, is_job=True) for id_ in edges], binding, ANY_POSITION)
            present = {id_: each for id_, each in edges.items() if id_ in contents.jobs.found}
            added = await self._jobs(present, contents, {}, binding)
            cut += [children[id_] for id_ in present if id_ not in added]
            jobs |= added
            runs |= contents.runs
        return Graph(jobs, graph.datasets, list(dict.fromkeys(cut)), runs)

    async def _distances(self, start: Node, query: GraphQuery, binding: Binding | None) -> dict[Node, int]:
        """Return the nodes of the graph, and one more where there is one, with their distances from the first."""
        steps, direction = steps_of(query.depth, start), query.direction
        where = (*start, steps, direction.from_job, direction.from_dataset, query.all_edges, query.limit + 1)
        statements = STATEMENTS[binding is not None]
        rows = await self._connections.fetch(statements.nodes, *where, *visible(binding))
        return {Node(id_, is_job): distance for id_, is_job, distance in rows}

    async def _edges(self, jobs: Sequence[UUID], query: GraphQuery, binding: Binding | None) -> dict[UUID, JobEdges]:
        statements = STATEMENTS[binding is not None]
        rows = await self._connections.fetch(statements.edges, jobs, query.all_edges, MAX_EDGES, *visible(binding))
        edges = dict.fromkeys(jobs, JobEdges())
        for job, inputs, outputs, _ in rows:
            edges[job] = JobEdges(inputs, outputs)
        if rows and rows[0]["found"] >= MAX_EDGES:
            last = rows[-1]["job_id"]
            for job in jobs[max(1, jobs.index(last)) :]:
                del edges[job]
        return edges

    async def _contents(self, nodes: Sequence[Node], binding: Binding | None, position: int) -> _Contents:
        jobs = [node.id for node in nodes if node.is_job]
        datasets = [node.id for node in nodes if not node.is_job]
        read_jobs, read_datasets = self._read_jobs(jobs, binding, position), self._read_datasets(datasets, binding)
        if position != ANY_POSITION:
            return _Contents(*await asyncio.gather(read_jobs, read_datasets), _Rows({}, len(jobs)), _NO_RUNS)
        read_runs = self._read_runs(jobs, binding)
        jobs_read, datasets_read, (latest, runs) = await asyncio.gather(read_jobs, read_datasets, read_runs)
        return _Contents(jobs_read, datasets_read, latest, runs)

    async def _read_jobs(self, ids: Sequence[UUID], binding: Binding | None, position: int) -> _Rows:
        if not ids:
            return _Rows({}, 0)
        statement = STATEMENTS[binding is not None].jobs
        rows = await self._connections.fetch(statement, ids, *visible(binding, position), PAGE_BYTES)
        jobs = await read_registers(self._connections, LOG, Subject.JOB, rows)
        return _Rows({row["id"]: job for row, job in zip(rows, jobs, strict=True)}, _known(ids, rows))

    async def datasets(self, ids: Sequence[UUID], binding: Binding | None) -> Mapping[UUID, DatasetRegisters]:
        """Return datasets by their ids, which must be those under which the graph has them."""
        return (await self._read_datasets(ids, binding)).found

    async def _read_datasets(self, ids: Sequence[UUID], binding: Binding | None) -> _Rows:
        """Read datasets, each merged from the rows of its names, of which the first has the name to be shown."""
        if not ids:
            return _Rows({}, 0)
        statement = STATEMENTS[binding is not None].datasets
        rows = await self._connections.fetch(statement, ids, *condition(binding), PAGE_BYTES)
        datasets: dict[UUID, DatasetRegisters] = {}
        for row in rows:
            registers, known = unpack_dataset(row["registers"]), datasets.get(row["id"])
            datasets[row["id"]] = registers if known is None else merge_aliases(known, [registers])
        return _Rows(datasets, _known(ids, rows))

    async def _read_runs(
        self, jobs: Sequence[UUID], binding: Binding | None
    ) -> tuple[_Rows, Mapping[UUID, RunLineage]]:
        """Read the newest runs of jobs, and what these read and wrote."""
        latest = await self._read_latest(jobs, binding)
        return latest, (await self._runs.read(list(latest.found.values()), binding)).found

    async def _read_latest(self, jobs: Sequence[UUID], binding: Binding | None) -> _Rows:
        if not jobs:
            return _Rows({}, 0)
        statement = STATEMENTS[binding is not None].latest
        rows = await self._connections.fetch(statement, jobs, 1, *condition(binding), PAGE_BYTES)
        runs = await read_registers(self._connections, LOG, Subject.RUN, rows)
        items = {
            row["job_id"]: RunItem(row["id"], run) for row, run in zip(rows, runs, strict=True) if may_see(binding, run)
        }
        return _Rows(items, _known(jobs, rows, "job_id"))


def _known_edges(walk: Walk) -> int:
    """Return how many nodes there are before the first job whose edges were not read."""
    for index, node in enumerate(walk.distances):
        if node.is_job and node.id not in walk.edges:
            return index
    return len(walk.distances)


def _known(ids: Sequence[UUID], rows: Sequence[Any], column: str = "id") -> int:
    """Return for how many of some ids, from the first on, all rows were read, which are in their order."""
    if not rows or len(rows) == rows[0]["found"]:
        return len(ids)
    return max(1, ids.index(rows[-1][column]))


def _fitting(nodes: Sequence[Node], contents: _Contents) -> int:
    """Return how many nodes there are before the first of which the contents were not read; at least one."""
    jobs = datasets = 0
    for index, node in enumerate(nodes):
        if node.is_job:
            jobs += 1
        else:
            datasets += 1
        if jobs > min(contents.jobs.known, contents.latest.known) or datasets > contents.datasets.known:
            return max(1, index)
    return len(nodes)

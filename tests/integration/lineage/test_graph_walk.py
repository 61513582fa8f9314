"""The graph that is read is the one that a walk through all edges finds: any node, depth, direction and limit."""

from collections import defaultdict
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.binding import parse_binding
from service.domain.dataset import DatasetRegisters
from service.domain.job import JobRegisters
from service.ledger.stored_registers import pack_registers
from service.lineage.graph import GraphQuery, LineageGraph
from service.lineage.stored import pack
from service.lineage.walk import INPUT, OUTPUT, Direction, Node

AT = datetime(2024, 1, 1, tzinfo=UTC)
JOBS, DATASETS = 6, 6
JOB_IDS = [UUID(int=number + 1) for number in range(JOBS)]
DATASET_IDS = [UUID(int=number + 1) for number in range(DATASETS)]  # a job and a dataset may have the same id
NAMESPACES = ("a", "b")
BINDINGS = {None: None, "a": parse_binding(["a"])}

numbers = st.integers(0, JOBS - 1)
graphs = st.fixed_dictionaries(
    {
        "edges": st.dictionaries(st.tuples(numbers, st.sampled_from([INPUT, OUTPUT]), numbers), st.booleans()),
        "aliases": st.dictionaries(st.integers(3, 5), st.integers(0, 2)),
        "hidden_jobs": st.sets(numbers, max_size=2),
        "hidden_datasets": st.sets(st.integers(0, 2), max_size=1),
        "job_namespaces": st.lists(st.sampled_from(NAMESPACES), min_size=JOBS, max_size=JOBS),
        "dataset_namespaces": st.lists(st.sampled_from(NAMESPACES), min_size=DATASETS, max_size=DATASETS),
    }
)
FULL = {
    "edges": {(job, job % 2, dataset): True for job in range(JOBS) for dataset in range(DATASETS)},
    "aliases": {4: 0, 5: 1},
    "hidden_jobs": set(),
    "hidden_datasets": set(),
    "job_namespaces": ["a"] * JOBS,
    "dataset_namespaces": ["a"] * DATASETS,
}


async def write(db, graph):
    """Write a graph into the tables."""
    await db.execute("truncate runfold.jobs, runfold.datasets, runfold.lineage_edges")
    primary = [graph["aliases"].get(number, number) for number in range(DATASETS)]
    rows = [
        (
            id_,
            namespace,
            f"j{number}",
            number in graph["hidden_jobs"],
            pack_registers(JobRegisters(namespace, f"j{number}")),
        )
        for number, (id_, namespace) in enumerate(zip(JOB_IDS, graph["job_namespaces"], strict=True))
    ]
    await db.executemany(
        "insert into runfold.jobs (id, position, namespace_id, namespace, name, hidden, updated_at, registers)"
        " values ($1, 1, $1, $2, $3, $4, now(), $5)",
        rows,
    )
    await db.executemany(
        "insert into runfold.datasets (id, namespace_id, namespace, name, position, primary_id, hidden, seen, deleted,"
        " updated_at, registers) values ($1, $1, $2, $3, 1, $4, $5, 1, 1, now(), $6)",
        [
            (id_, namespace, f"d{number}", DATASET_IDS[primary[number]], primary[number] in graph["hidden_datasets"],
             pack(DatasetRegisters(namespace, f"d{number}")))
            for number, (id_, namespace) in enumerate(zip(DATASET_IDS, graph["dataset_namespaces"], strict=True))
        ],
    )  # fmt: skip
    await db.executemany(
        "insert into runfold.lineage_edges values ($1, $2, $3, $4, now())",
        [(JOB_IDS[job], direction, DATASET_IDS[dataset], current)
         for (job, direction, dataset), current in graph["edges"].items()],
    )  # fmt: skip


class Model:
    """The same graph, as the sets of neighbours of the nodes that are there for a key."""

    def __init__(self, graph, binding, *, all_edges):
        names = defaultdict(list)
        for number in range(DATASETS):
            if binding is None or graph["dataset_namespaces"][number] == binding:
                names[graph["aliases"].get(number, number)].append(number)
        self.shown = {
            primary: primary if primary in members else members[0]
            for primary, members in names.items()
            if primary not in graph["hidden_datasets"]
        }
        self.jobs = {
            number
            for number in range(JOBS)
            if number not in graph["hidden_jobs"] and (binding is None or graph["job_namespaces"][number] == binding)
        }
        self.edges = set()
        for (job, direction, dataset), current in graph["edges"].items():
            primary = graph["aliases"].get(dataset, dataset)
            if (current or all_edges) and job in self.jobs and primary in self.shown:
                self.edges.add((job, direction, self.shown[primary]))

    def neighbours(self, node, direction):
        kind, number = node
        if kind == "job":
            return {
                ("dataset", dataset) for job, way, dataset in self.edges if job == number and way in direction.from_job
            }
        return {("job", job) for job, way, dataset in self.edges if dataset == number and way in direction.from_dataset}

    def within(self, start, direction, steps):
        found, level = {start}, {start}
        for _ in range(steps):
            level = {each for node in level for each in self.neighbours(node, direction)} - found
            found |= level
        return found


def found_nodes(graph):
    return {("job", JOB_IDS.index(id_)) for id_ in graph.jobs} | {
        ("dataset", DATASET_IDS.index(id_)) for id_ in graph.datasets
    }


async def check(reader, graph, start, query, binding):
    model = Model(graph, binding, all_edges=query.all_edges)
    kind, number = start
    if number not in (model.jobs if kind == "job" else model.shown.values()):
        return
    node = Node((JOB_IDS if kind == "job" else DATASET_IDS)[number], kind == "job")
    result = await reader.read(node, query, BINDINGS[binding])
    found = found_nodes(result)
    steps = 2 * max(0, query.depth) + (1 if kind == "job" else 2)
    wanted = model.within(start, query.direction, steps)
    if len(wanted) <= query.limit:
        assert (found, list(result.cut)) == (wanted, [])
    else:
        assert start in found <= wanted
        assert len(found) == query.limit
        assert result.cut
    cut = {each.name for each in result.cut}
    for each in found & model.within(start, query.direction, steps - 1):
        if f"{each[0][0]}{each[1]}" not in cut:  # then it has all of its neighbours
            assert model.neighbours(each, query.direction) <= found
    for id_, job in result.jobs.items():
        sides = ((INPUT, job.inputs), (OUTPUT, job.outputs))
        of_job = {(way, int(name.name[1:])) for way, names in sides for name in names}
        assert of_job == {(way, dataset) for each, way, dataset in model.edges if JOB_IDS[each] == id_}


@settings(max_examples=80)
@given(
    graph=graphs,
    start=st.tuples(st.sampled_from(["job", "dataset"]), numbers),
    query=st.builds(
        GraphQuery, st.integers(-1, 5), st.integers(1, 12), st.sampled_from(Direction), all_edges=st.booleans()
    ),
    binding=st.sampled_from([None, "a"]),
)
async def test_the_graph_is_the_one_that_a_walk_finds(connections, db, graph, start, query, binding):
    await write(db, graph)
    await check(LineageGraph(connections), graph, start, query, binding)


async def test_what_a_limit_cuts_off_is_said(connections, db):
    await write(db, FULL)
    for limit in range(1, 13):
        await check(LineageGraph(connections), FULL, ("dataset", 2), GraphQuery(3, limit), None)


@pytest.mark.parametrize("direction", Direction)
def test_directions_are_opposite_on_both_sides(direction):
    assert {INPUT, OUTPUT} >= set(direction.from_job)
    assert set(direction.from_dataset) == {1 - way for way in direction.from_job}

"""What a walk through a lineage graph follows, and where it was cut off. No I/O.

A graph has jobs and datasets; a job has inputs and outputs. Depth counts jobs, as in Marquez: a job is at depth 0 with
all of its datasets, and the jobs that share any of these are at depth 1. A walk from a dataset has all jobs that touch
it at depth 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

INPUT, OUTPUT = 0, 1
"""The directions of edges, as runfold.lineage_edges has them."""

_MAX_STEPS = 16_000
"""Most edges of a way, more than answers have. PostgreSQL counts up to 16,383 decimal places (graph_nodes.sql)."""


class Direction(StrEnum):
    """In which direction edges are followed: to what a node is made of, to what is made of it, or both."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"

    @property
    def from_job(self) -> tuple[int, ...]:
        """The directions of the edges of a job that are followed to its datasets."""
        return _FROM_JOB[self]

    @property
    def from_dataset(self) -> tuple[int, ...]:
        """The directions of the edges of a dataset that are followed to its jobs."""
        return _FROM_DATASET[self]


_FROM_JOB = {Direction.UP: (INPUT,), Direction.DOWN: (OUTPUT,), Direction.BOTH: (INPUT, OUTPUT)}
_FROM_DATASET = {Direction.UP: (OUTPUT,), Direction.DOWN: (INPUT,), Direction.BOTH: (INPUT, OUTPUT)}


class Node(NamedTuple):
    """A job or a dataset: both may have the same id."""

    id: UUID
    is_job: bool


class JobEdges(NamedTuple):
    """The datasets that a job reads and writes."""

    inputs: Sequence[UUID] = ()
    outputs: Sequence[UUID] = ()

    def along(self, directions: Sequence[int]) -> Iterator[UUID]:
        """Yield the datasets in some directions."""
        if INPUT in directions:
            yield from self.inputs
        if OUTPUT in directions:
            yield from self.outputs


def steps_of(depth: int, start: Node) -> int:
    """Return how many edges away from its start a graph of a depth goes."""
    return min(_MAX_STEPS, 2 * max(0, depth) + (1 if start.is_job else 2))


class Walk(NamedTuple):
    """The nodes of a walk and their distances in edges; a node comes after all those that the walk found before it.

    Neighbours of a node follow each other, in the order of the nodes. `steps`: the largest distance that was wanted.
    """

    distances: Mapping[Node, int]
    edges: Mapping[UUID, JobEdges]
    direction: Direction
    steps: int

    def cut(self, limit: int) -> tuple[list[Node], list[Node]]:
        """Return the first nodes, and those of them that may have neighbours which are left out, in the same order.

        These are the node whose neighbour is the first that is left out, and those that come after it: they were not
        looked at any more. Nodes at the largest distance have no neighbours that were wanted.
        """
        nodes = list(self.distances)
        if len(nodes) <= limit:
            return nodes, []
        kept = nodes[:limit]
        for index, node in enumerate(kept):
            if self._leads_to(node, nodes[limit]):
                return kept, [other for other in kept[index:] if self.distances[other] < self.steps]
        return kept, []

    def _leads_to(self, node: Node, neighbour: Node) -> bool:
        if node.is_job is neighbour.is_job or self.distances[node] + 1 != self.distances[neighbour]:
            return False
        job, dataset = (node, neighbour) if node.is_job else (neighbour, node)
        directions = self.direction.from_job if node.is_job else self.direction.from_dataset
        edges = self.edges.get(job.id)
        return edges is not None and dataset.id in edges.along(directions)

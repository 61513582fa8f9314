"""What reads graphs: of jobs and datasets, of columns, of runs; and datasets as they were."""

from __future__ import annotations

from typing import NamedTuple

from service.database.connections import Connections
from service.lineage.column_graph import ColumnGraphs
from service.lineage.column_nodes import ColumnNodes
from service.lineage.graph import LineageGraph
from service.lineage.past_datasets import PastDatasets
from service.lineage.past_graph import PastGraph
from service.lineage.run_graph import RunLineage


class Graphs(NamedTuple):
    """One object of each kind."""

    lineage: LineageGraph
    past: PastGraph
    columns: ColumnGraphs
    column_nodes: ColumnNodes
    runs: RunLineage
    past_datasets: PastDatasets

    @classmethod
    def of(cls, connections: Connections) -> Graphs:
        """Return what reads with some connections."""
        lineage, columns = LineageGraph(connections), ColumnGraphs(connections)
        past = PastGraph(connections, lineage)
        return cls(
            lineage,
            past,
            columns,
            ColumnNodes(connections, lineage, past, columns),
            RunLineage(connections),
            PastDatasets(connections),
        )

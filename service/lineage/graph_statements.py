"""The parts of statements that read the lineage graph, and the statements of the graph as it is.

Statements for API keys that are bound to namespaces have conditions that the others lack. The arguments of `visible` or
`condition` come behind those of the statement itself, and before a number of bytes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from service.catalog.queries import EVERY, VISIBLE_RUN, condition, load_page
from service.database.statements import load, load_text
from service.domain.binding import Binding

ANY_POSITION = 2**63 - 1
"""No position of the ledger is larger."""


def visible(binding: Binding | None, position: int = ANY_POSITION) -> tuple[Any, ...]:
    """Return the arguments of the conditions that a node is there.

    No deletion up to a position hides it, and it is within the binding of an API key.
    """
    return position, *condition(binding)


class Parts(NamedTuple):
    """What statements are made of, for bound keys or not. Parameters are columns of the statement."""

    bound: bool

    def within(self, namespace: str) -> str:
        """Return the condition that a namespace is within the binding."""
        return load_text("within", namespace=namespace) if self.bound else EVERY

    def dataset(self, name_id: str) -> str:
        """Return the query of the dataset that has an id among its names, if it is there."""
        if self.bound:
            return load_text("bound_graph_dataset", name_id=name_id, within=self.within("d.namespace"))
        return load_text("graph_dataset", name_id=name_id)

    def names(self, dataset_id: str) -> str:
        """Return the query of the ids of all names of a dataset. Jobs may use names that are not within the binding."""
        if self.bound:
            return load_text("bound_graph_names", dataset_id=dataset_id, within=EVERY)
        return load_text("graph_names", dataset_id=dataset_id)

    def seen_names(self, dataset_id: str) -> str:
        """Return the query of the ids of those names that are within the binding."""
        if self.bound:
            return load_text("bound_graph_names", dataset_id=dataset_id, within=self.within("t.namespace"))
        return self.names(dataset_id)

    def job(self, job_id: str) -> str:
        """Return the query of a job, if it is there."""
        return load_text("graph_job", job_id=job_id, within=self.within("t.namespace"))

    def datasets(self) -> str:
        """Return the statement of the registers of datasets."""
        if self.bound:
            return load_page("bound_graph_datasets", within=self.within("t.namespace"))
        return load_page("graph_datasets")


class GraphStatements(NamedTuple):
    """The statements of the graph as it is."""

    find_job: str
    find_dataset: str
    nodes: str
    edges: str
    datasets: str
    jobs: str
    latest: str


def _statements(*, bound: bool) -> GraphStatements:
    parts = Parts(bound)
    return GraphStatements(
        load("find_graph_node", node=parts.job("w.id")),
        load("find_graph_node", node=parts.dataset("w.id")),
        load(
            "graph_nodes",
            dataset=parts.dataset("e.dataset_id"),
            names=parts.names("g.id"),
            job=parts.job("e.job_id"),
        ),
        load("graph_edges", dataset=parts.dataset("e.dataset_id")),
        parts.datasets(),
        load_page("graph_jobs", job=parts.job("w.id")),
        load_page("latest_runs", visible_run=VISIBLE_RUN if bound else EVERY),
    )


STATEMENTS = {bound: _statements(bound=bound) for bound in (False, True)}
"""By whether the API key is bound."""

DATASET_NAMES = load("graph_dataset_names")

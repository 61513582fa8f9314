"""Finds out under which names the datasets of column mappings are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from service.database.connections import Connections
from service.database.statements import load
from service.domain.binding import Binding
from service.domain.event import DatasetName
from service.domain.ids import dataset_id
from service.lineage.graph_statements import ANY_POSITION, Parts, visible

_RESOLVE = {bound: load("resolve_datasets", dataset=Parts(bound).dataset("w.id")) for bound in (False, True)}


class Names(NamedTuple):
    """Under which names datasets are shown, by any of their names, and by id."""

    by_name: Mapping[DatasetName, DatasetName]
    by_id: Mapping[UUID, DatasetName]


async def resolve(
    connections: Connections,
    datasets: Iterable[DatasetName],
    ids: Iterable[UUID],
    binding: Binding | None,
    position: int = ANY_POSITION,
) -> Names:
    """Return under which names datasets are shown, of those that may be seen; one that only mappings name, as it is.

    Deletions after a position do not count.
    """
    by_id = {dataset_id(*name): name for name in datasets if binding is None or binding.allows(name.namespace)}
    rows = await connections.fetch(_RESOLVE[binding is not None], list({*by_id, *ids}), *visible(binding, position))
    shown: dict[UUID, DatasetName] = dict(by_id)
    for row in rows:
        if row["shown_id"] is None:
            shown.pop(row["id"], None)
        else:
            shown[row["id"]] = DatasetName(row["namespace"], row["name"])
    return Names({name: shown[id_] for id_, name in by_id.items() if id_ in shown}, shown)

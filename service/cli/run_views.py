"""Views of runs for commands: as the API shows them, with what they read and wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from service.catalog.queries import CatalogQueries
from service.database.connections import Connections
from service.database.statements import LINEAGE
from service.domain.run import NO_DATASETS, RunRegisters
from service.http.views import DATASETS_OMITTED, run_view
from service.lineage.run_lineage import RunLineageReader


async def read_run_views(connections: Connections, runs: Sequence[tuple[UUID, RunRegisters]]) -> list[dict[str, Any]]:
    """Return the views of runs, with the versions of their datasets, and of their jobs, as far as they are projected.

    A command waits for no projection: a run that named datasets since then has `datasetsOmitted`.
    """
    if all(run.datasets_position == NO_DATASETS for _, run in runs):
        return [run_view(str(run_id), run) for run_id, run in runs]
    _, projected = await CatalogQueries(connections).positions(LINEAGE)
    lineage = (await RunLineageReader(connections).read(runs, None)).found
    return [
        run_view(str(run_id), run, lineage.get(run_id))
        | (DATASETS_OMITTED if run.datasets_position > projected else {})
        for run_id, run in runs
    ]

"""Projects the ledger after an import, so that lists, datasets and graphs show what was imported."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import click

from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import LedgerProjection, project_next_page
from service.catalog.newer_catalog import NewerCatalog
from service.cli.commands.progress import progress_bar
from service.database.connections import Connections
from service.errors import RunfoldError
from service.ledger.events import read_head
from service.lineage.pages import LineageProjection

STATEMENT_TIMEOUT_S = 60.0
_CATALOG_LIMIT_S = 30.0
"""Seconds without progress of the catalog after which the import ends all the same."""


class Behind(NamedTuple):
    """How many events the catalog lacks, and how many datasets and lineage lack; None: it is unknown."""

    catalog: int | None = 0
    lineage: int | None = 0

    def as_object(self) -> dict[str, int | None]:
        """Return it for scripts."""
        return {"catalogBehind": self.catalog, "lineageBehind": self.lineage}


async def update_catalog(dsn: str) -> Behind:
    """Project the catalog and lineage up to the ledger's end, beside the projectors of services; say where that fails.

    Nothing is behind then unless it fails. One process projects at a time; a page that another one has projected
    meanwhile is skipped.
    """
    async with Connections(dsn, 2, limit_idle_transactions=True, command_timeout_s=STATEMENT_TIMEOUT_S) as connections:
        behind = await _project(CatalogProjection(connections), "lists")
        if behind is None:  # the database cannot be used
            return Behind(None, None)
        return Behind(behind, await _project(LineageProjection(connections), "datasets and lineage"))


async def _project(projection: LedgerProjection[Any, Any], shown: str) -> int | None:
    """Project up to the ledger's end; `shown`: where it is shown, for the message that says how far that came."""
    position = end = 0
    try:
        end = (await read_head(projection.connections)).position
        position = first = await projection.read_cursor()
        with progress_bar(f"Updating {projection.name} (events)") as show:
            while position < end:
                async with asyncio.timeout(_CATALOG_LIMIT_S):
                    position = (await project_next_page(projection)).position
                show(position - first, end - first)
    except (RunfoldError, TimeoutError) as error:
        if isinstance(error, NewerCatalog):
            position = error.position
        click.echo(
            f"All events are recorded, but {shown} show them only up to position {position} of {end} yet"
            f" ({error or 'no progress'}). A service that runs, or the next one that starts, goes on.",
            err=True,
        )
        return end - position if end else None
    return 0

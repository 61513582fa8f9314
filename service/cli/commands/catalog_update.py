"""Projects the catalog after an import, so that lists show what was imported."""

from __future__ import annotations

import asyncio

import click

from service.catalog.newer_catalog import NewerCatalog
from service.catalog.page_writer import project_next_page, read_cursor
from service.cli.commands.progress import progress_bar
from service.database.connections import Connections
from service.errors import RunfoldError
from service.ledger.events import read_head

STATEMENT_TIMEOUT_S = 60.0
_CATALOG_LIMIT_S = 30.0
"""Seconds without progress of the catalog after which the import ends all the same."""


async def update_catalog(dsn: str) -> int | None:
    """Project the catalog up to the ledger's end, beside the projectors of services; say so where that fails.

    Returns the number of events that are not projected then, 0 unless it fails, and None if it is unknown. One process
    projects at a time; a page that another one has projected meanwhile is skipped.
    """
    position = end = 0
    async with Connections(dsn, 2, limit_idle_transactions=True, command_timeout_s=STATEMENT_TIMEOUT_S) as connections:
        try:
            end = (await read_head(connections)).position
            position = first = await read_cursor(connections)
            with progress_bar("Updating the catalog (events)") as show:
                while position < end:
                    async with asyncio.timeout(_CATALOG_LIMIT_S):
                        position = (await project_next_page(connections)).position
                    show(position - first, end - first)
        except (RunfoldError, TimeoutError) as error:
            if isinstance(error, NewerCatalog):
                position = error.position
            click.echo(
                f"All events are recorded, but lists show them only up to position {position} of {end} yet"
                f" ({error or 'no progress'}). A service that runs, or the next one that starts, goes on.",
                err=True,
            )
            return end - position if end else None
    return 0

"""Reads a database of Marquez: its OpenLineage events, and what its REST API alone recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from service.database.connections import Connections
from service.database.sessions import open_cursor
from service.database.statements import load
from service.errors import OperatorError

PAGE = 200
"""Rows that are fetched at once: an event may have megabytes."""

_SCHEMA = load("marquez_schema")
_COLUMNS = {
    "lineage_events": "event event_time created_at run_uuid job_name job_namespace",
    "namespaces": "uuid name current_owner_name description updated_at is_hidden",
    "sources": "name type connection_url description updated_at",
    "tags": "uuid name description updated_at",
    "datasets": "uuid type namespace_uuid namespace_name name physical_name"
    " source_name description current_version_uuid updated_at is_hidden",
    "dataset_versions": "uuid dataset_uuid run_uuid fields",
    "dataset_fields": "uuid dataset_uuid name type description created_at",
    "dataset_facets": "dataset_uuid",
    "stream_versions": "dataset_version_uuid schema_location",
    "jobs": "uuid type namespace_uuid namespace_name name simple_name description current_location"
    " current_inputs current_version_uuid parent_job_uuid symlink_target_uuid updated_at is_hidden",
    "job_versions_io_mapping": "job_version_uuid dataset_uuid io_type",
    "runs": "uuid namespace_name job_name created_at nominal_start_time nominal_end_time run_args_uuid external_id",
    "runs_input_mapping": "run_uuid dataset_version_uuid",
    "run_args": "uuid args",
    "run_states": "run_uuid state transitioned_at",
    "datasets_tag_mapping": "dataset_uuid tag_uuid tagged_at",
    "dataset_fields_tag_mapping": "dataset_field_uuid tag_uuid tagged_at",
    "jobs_tag_mapping": "job_uuid tag_uuid tagged_at",
}
"""What is read, by table."""

_SHOWN = 3


class MarquezReader:
    """Reads a database of Marquez as it was when this was made. Raises DatabaseUnavailable."""

    def __init__(self, connection: Any, schema: str) -> None:  # noqa: ANN401  asyncpg has no types
        """Take a connection in a transaction, and the schema of the tables, quoted."""
        self._connection = connection
        self._schema = schema

    async def count_events(self, since: datetime | None) -> int:
        """Return the number of OpenLineage events since a time; None: of all."""
        statement = load("marquez_count_events", marquez=self._schema)
        return int(await self._connection.fetchval(statement, since))

    async def rows(self, name: str, *parameters: datetime | None) -> AsyncIterator[Any]:
        """Yield the rows of a statement: that of marquez_{name}.sql."""
        statement = load(f"marquez_{name}", marquez=self._schema)
        async for row in await open_cursor(self._connection, statement, *parameters, prefetch=PAGE):
            yield row


@asynccontextmanager
async def read_marquez(connections: Connections) -> AsyncIterator[MarquezReader]:
    """Open a database of Marquez, which is only read. Raises OperatorError where it is none, or an older one's."""
    async with connections.snapshot() as connection:
        # Some columns have times without a zone. They are UTC.
        await connection.execute("set local time zone 'UTC'")
        names = [f"{table}.{column}" for table, columns in _COLUMNS.items() for column in columns.split()]
        row = await connection.fetchrow(_SCHEMA, names)
        if row["home"] is None:
            raise OperatorError("This is not a database of Marquez: it has no table lineage_events.")
        if row["missing"]:
            raise OperatorError(
                f"The tables are not those of Marquez 0.50 or newer: {', '.join(row['missing'][:_SHOWN])} is missing."
                " Let a newer Marquez migrate the database first."
            )
        yield MarquezReader(connection, row["home"])

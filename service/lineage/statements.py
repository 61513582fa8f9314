"""The tables of datasets and lineage, and the SQL statements with which the projection reads and writes them."""

from __future__ import annotations

from typing import NamedTuple

from service.database.statements import LINEAGE, SCHEMA, load, load_text

TABLES = (
    "lineage_cursor",
    "lineage_set_aside",
    "datasets",
    "lineage_namespaces",
    "dataset_links",
    "dataset_events",
    "dataset_versions",
    "run_datasets",
    "lineage_edges",
    "column_mappings",
    "column_inputs",
    "sources",
    "tags",
    "search_entries",
    "event_type_counts",
)
"""Every table that this projection fills."""


class LineageStatements(NamedTuple):
    """The SQL statements of the projection, for the tables in use or for those that are being rebuilt."""

    cursor: str
    lock: str
    move: str
    events: str
    set_aside: str
    datasets: str
    names_of_datasets: str
    versions: str
    runs: str
    latest_runs: str
    mappings: str
    sources: str
    tags: str
    job_entries: str
    put_datasets: str
    put_namespaces: str
    move_primaries: str
    settle_names: str
    put_events: str
    put_versions: str
    put_links: str
    put_runs: str
    unset_edges: str
    put_edges: str
    set_edges: str
    put_mappings: str
    drop_inputs: str
    put_inputs: str
    put_sources: str
    put_tags: str
    put_entries: str
    touch_entries: str
    drop_entries: str
    count_types: str
    erasing: ErasureStatements


def lineage_statements(schema: str) -> LineageStatements:
    """Return the statements for the tables in a schema; the ledger's schema is always the same."""

    def statement(name: str, **parts: str) -> str:
        return load(name, schema=schema, projection=LINEAGE, **parts)

    def put_rows(name: str) -> str:
        return statement("put_rows", rows=load_text(name, schema=schema))

    return LineageStatements(
        cursor=statement("catalog_cursor"),
        lock=statement("catalog_lock"),
        move=statement("catalog_move"),
        events=statement("events_after"),
        set_aside=statement("set_aside"),
        datasets=statement("lineage_datasets"),
        names_of_datasets=statement("lineage_names_of_datasets"),
        versions=statement("lineage_versions"),
        runs=statement("lineage_runs"),
        latest_runs=statement("lineage_latest_runs"),
        mappings=statement("lineage_mappings"),
        sources=statement("page_rows", catalog="sources"),
        tags=statement("page_rows", catalog="tags"),
        job_entries=statement("lineage_job_entries"),
        put_datasets=put_rows("put_datasets"),
        put_namespaces=put_rows("put_lineage_namespaces"),
        move_primaries=statement("move_primaries"),
        settle_names=statement("settle_names"),
        put_events=statement("put_dataset_events"),
        put_versions=statement("put_dataset_versions"),
        put_links=statement("put_dataset_links"),
        put_runs=statement("put_run_datasets"),
        unset_edges=statement("unset_edges"),
        put_edges=statement("put_edges"),
        set_edges=statement("set_edges"),
        put_mappings=put_rows("put_column_mappings"),
        drop_inputs=statement("drop_column_inputs"),
        put_inputs=statement("put_column_inputs"),
        put_sources=put_rows("put_sources"),
        put_tags=put_rows("put_tags"),
        put_entries=statement("put_search_entries"),
        touch_entries=statement("touch_search_entries"),
        drop_entries=statement("drop_search_entries"),
        count_types=statement("add_event_type_counts"),
        erasing=erasure_statements(schema),
    )


class ErasureStatements(NamedTuple):
    """The SQL statements that remove erased payloads."""

    stamps: str
    erased: str
    of_stream: str
    of_job: str
    events_at: str
    of_run: str
    versions: str
    positions: str
    links: str
    unnamed: str
    edges: str
    forget_run: str
    forget_event: str
    forget_datasets: str
    set_primaries: str


def erasure_statements(schema: str) -> ErasureStatements:
    """Return the statements for the tables in a schema."""
    return ErasureStatements(
        stamps=load("stamps"),
        erased=load("erased_at"),
        of_stream=load("replayed_events"),
        of_job=load("payloads_of_job"),
        events_at=load("events_at"),
        of_run=load("lineage_of_run", schema=schema),
        versions=load("versions_of_datasets", schema=schema),
        positions=load("positions_of_datasets", schema=schema),
        links=load("links_between", schema=schema),
        unnamed=load("unnamed_datasets", schema=schema),
        edges=load("edges_of_events", schema=schema),
        forget_run=load("forget_run", schema=schema),
        forget_event=load("forget_dataset_event", schema=schema),
        forget_datasets=load("forget_datasets", schema=schema),
        set_primaries=load("set_primaries", schema=schema),
    )


LIVE_STATEMENTS = lineage_statements(SCHEMA)

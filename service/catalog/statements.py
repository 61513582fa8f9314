"""The tables of the catalog, and the SQL statements with which the projection reads and writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from service.catalog.summarizer import SummaryStatements, summary_statements
from service.database.statements import load, load_text
from service.domain.event import Subject
from service.ledger.aggregates import CATALOG_AGGREGATES

TABLES = (
    "catalog_cursor",
    "namespaces",
    "jobs",
    "runs",
    "run_jobs",
    "crossing_runs",
    "dataset_namespaces",
    "run_summaries",
    "run_counts",
    "lineage_counts",
    "catalog_set_aside",
    "silence_settings",
)
"""The catalog: every table that is derived from the ledger."""


class CatalogStatements(NamedTuple):
    """The SQL statements of the projection, for the catalog in use or for one that is being rebuilt."""

    cursor: str
    lock: str
    events: str
    rows: Mapping[Subject, str]
    put: Mapping[Subject, str]
    write_page: str
    put_runs_of_jobs: str
    mark_inferred: str
    put_settings: str
    drop_setting: str
    put_crossing_runs: str
    put_dataset_namespaces: str
    lineage_counts: str
    set_aside: str
    summaries: SummaryStatements


def catalog_statements(schema: str) -> CatalogStatements:
    """Return the statements for the catalog in a schema; the ledger's schema is always the same."""

    def statement(name: str, **parts: str) -> str:
        return load(name, schema=schema, **parts)

    def put_rows(name: str) -> str:
        return statement("put_rows", rows=load_text(name, schema=schema))

    put = {Subject.JOB: put_rows("put_jobs"), Subject.NAMESPACE: put_rows("put_namespaces")}
    rows = {subject: statement("page_rows", catalog=CATALOG_AGGREGATES[subject].table) for subject in put}
    parts = ("put_jobs", "put_namespaces", "move_run_counts", "add_run_counts", "catalog_move")
    return CatalogStatements(
        cursor=statement("catalog_cursor"),
        lock=statement("catalog_lock"),
        events=statement("events_after"),
        rows=rows | {Subject.RUN: statement("run_rows")},
        put=put | {Subject.RUN: statement("put_runs")},
        write_page=statement("write_page", **{name: load_text(name, schema=schema) for name in parts}),
        put_runs_of_jobs=statement("put_runs_of_jobs"),
        mark_inferred=statement("mark_inferred"),
        put_settings=statement("put_silence_settings"),
        drop_setting=statement("drop_silence_setting"),
        put_crossing_runs=statement("put_crossing_runs"),
        put_dataset_namespaces=statement("put_dataset_namespaces"),
        lineage_counts=statement("add_lineage_counts"),
        set_aside=statement("set_aside"),
        summaries=summary_statements(schema),
    )


LIVE_STATEMENTS = catalog_statements("runfold")

"""The convention of SQL files: parameters by name, placeholders for parts."""

import ast
import re
from pathlib import Path

import pytest

from service.audit.event_lines import JSON_LINE, ReadOrder, selection
from service.database import statements
from service.database.statements import load, load_text

FILES = sorted(path.stem for path in statements._DIRECTORY.glob("*.sql"))
PARTS = {
    "catalog": "runs",
    "subject": "run",
    "partition": "payloads_0",
    "direction": "desc",
    "key": "t.ended_at",
    "beyond": "<",
    "within": ">= :far_time",
    "filters": load_text("run_filters", length="t.ended_at"),
    "visible": load_text("visible_jobs"),
    "newest_run_state": load_text("newest_run_state", visible_run="true"),
    "visible_run": "true",
    "namespace": "n.name",
    "of": "e.namespace = :namespace",
    "begin": "t.position > :after",
    "end": "s.position <= :upto",
    "which": load_text("which_range", direction="desc", event_filters=load_text("event_filters")),
    "event_filters": load_text("event_filters"),
    "line": JSON_LINE,
    "wanted": "true",
    "absent": load_text("payload_omitted"),
    "least": "128",
    "levels": "5",
    "overlaps": load_text("summary_overlaps"),
    "columns": load_text("summary_columns"),
    "marquez": "public",
    "indexed": "e.words like :longest",
    "version": "offset 0",
    "log": "0",
    "position": "t.position",
    "known": "true",
    "roles": load_text("dataset_roles"),
    "creator": load_text("version_creator", known="true"),
    "rows": load_text("put_jobs"),
    **{
        name: load_text(name)
        for name in ("put_jobs", "put_namespaces", "move_run_counts", "add_run_counts", "catalog_move", "head")
    },
}
TOLD_ORDER = load_text("told_order", log="0", position="t.position")
GRAPH = {
    "within": "true",
    "name_id": "w.id",
    "dataset_id": "w.id",
    "job_id": "w.id",
    "dataset": load_text("graph_dataset", name_id="w.id"),
    "node": load_text("graph_dataset", name_id="w.id"),
    "names": load_text("graph_names", dataset_id="w.id"),
    "job": load_text("graph_job", job_id="w.id", within="true"),
    "counts": "true",
    "at": "w.at",
    "position": "0",
    "told_order": TOLD_ORDER,
    "last_telling": load_text("last_telling", dataset_id="w.id", at="w.at", position="0", told_order=TOLD_ORDER),
}
"""Parts of the statements that read the lineage graph."""
OF_GRAPH = (
    *(name for name in FILES if "graph_" in name),
    *(
        "column_mapping_counts",
        "column_mappings_from",
        "column_mappings_of",
        "find_column_datasets",
        "outputs_of_columns",
    ),
    *(
        "past_jobs",
        "past_runs",
        "past_tellings",
        "producers",
        "readers",
        "resolve_datasets",
        "runs_by_id",
        "version_contents",
        "versions_at",
    ),
    *("last_telling", "told_versions", "versions_until"),
)
FRAGMENTS = {"which_positions", "which_range", "which_stream"}
"""Parts of event_lines.sql: their parameters are listed there."""
PARTS_OF_SEARCH = {"search_rank"}
"""Likewise, of search.sql."""
FILTERS = load_text("run_filters", length="t.ended_at")
OF_NAMESPACES = f"{FILTERS} and {load_text('visible_runs', visible_run='true')}"
OTHERS = {
    "run_filters": {"length": "t.ended_at"},
    **dict.fromkeys(OF_GRAPH, GRAPH),
    "versions_at": GRAPH
    | {
        "last_telling": load_text(
            "last_telling", dataset_id="a.id", at="w.at", position=":position", told_order=TOLD_ORDER
        )
    },
    "runs_by_update": {"within": ">= :far_position"},
    "count_created_entries": {"within": "true"},
    "search": {"within": "true", "key": load_text("search_rank"), "direction": "asc"},
    "within_bytes": {"statement": load_text("list_namespaces", within="true"), "wanted": "true"},
    "brief_of_events": {"within": load_text("within", namespace="t.namespace")},
    "count_visible_runs_of_job": {"count": load_text("count_runs_of_job")},
    **{
        name: {"within": "true"}
        for name in ("list_namespaces", "list_jobs", "count_jobs", "run_ownership", "visible_run", "dataset_names")
    },
    **{
        name: {"shown": "true", "of_namespace": "true", "named": "true", "within": "true", "within_other": "true"}
        for name in ("bound_shown_dataset", "shown_dataset", "list_datasets", "count_datasets")
    },
    "list_jobs_in_brief": {"jobs": load_text("list_jobs", **PARTS | {"within": "true"})},
    "matching_namespaces": {"within": load_text("within", namespace="t.namespace")},
    "runs_of_namespaces_by_update": {
        "within": ">= :far_position",
        "filters": OF_NAMESPACES,
    },
    **{name: {"filters": OF_NAMESPACES} for name in ("runs_of_namespaces", "runs_of_namespaces_running_at")},
}
"""Other parts for one statement."""


@pytest.fixture
def write(monkeypatch, tmp_path: Path):
    """Load from a directory of the test's own."""
    monkeypatch.setattr(statements, "_DIRECTORY", tmp_path)
    statements._read.cache_clear()
    yield lambda name, text: (tmp_path / f"{name}.sql").write_text(text)
    statements._read.cache_clear()


@pytest.mark.parametrize("name", [name for name in FILES if name not in FRAGMENTS | PARTS_OF_SEARCH])
def test_every_file_loads(name):
    statement = load(name, **PARTS | OTHERS.get(name, {}))
    assert statement
    assert not re.search(r"--|[{}]", statement.replace('{"', "").replace('"}', "").replace("'}'", ""))


@pytest.mark.parametrize("name", sorted(FRAGMENTS))
@pytest.mark.parametrize("order", ReadOrder)
def test_every_part_loads_within_its_statement(name, order):
    which = selection(name.removeprefix("which_"), order)
    assert "$" in load("event_lines", which=which, line=load_text("line_csv"), direction=order, wanted="true")


def test_parameters_are_numbered_in_the_order_of_the_list(write):
    write("some", "-- Returns something.\n-- parameters: log, position\nselect :position::bigint, :log, :position")
    assert load("some") == "select $2::bigint, $1, $2"


def test_a_cast_and_a_time_are_no_parameters(write):
    write("some", "select now()::text, '12:30', 'a'::text")
    assert load("some") == "select now()::text, '12:30', 'a'::text"


def test_the_parameters_of_parts_follow_in_the_order_of_the_text(write):
    write("whole", "-- parameters: log\nselect :log\n{first}\n{second}")
    write("one", "-- parameters: a, log\n, :a + :log")
    write("two", "-- parameters: b\n, :b")
    statement = load("whole", first=load_text("one"), second=load_text("two"))
    assert statement.split() == ["select", "$1", ",", "$2", "+", "$1", ",", "$3"]


def test_a_name_that_is_not_listed_is_refused(write):
    write("some", "-- parameters: log\nselect :log, :other")
    with pytest.raises(ValueError, match=r"parameters of some\.sql and its text differ"):
        load("some")


def test_a_name_without_any_list_is_refused(write):
    write("some", "select :log")
    with pytest.raises(ValueError, match="differ"):
        load("some")


def test_a_listed_name_that_is_not_used_is_refused(write):
    write("some", "-- parameters: log, other\nselect :log -- :other")
    with pytest.raises(ValueError, match=r"differ: \['log', 'other'\]"):
        load("some")


def test_an_unknown_placeholder_is_refused(write):
    write("some", "select * from {table}")
    with pytest.raises(ValueError, match=r"some\.sql has placeholders without a part: \['table'\]"):
        load("some", tables="runs")


def test_the_schema_is_that_of_the_tables_unless_another_is_given(write):
    write("some", "select from {schema}.runs")
    assert load("some") == "select from runfold.runs"
    assert load("some", schema="runfold_new") == "select from runfold_new.runs"


SERVICE = Path(__file__).parents[3] / "service"


@pytest.mark.parametrize("path", sorted(SERVICE.rglob("*.py")), ids=lambda path: str(path.relative_to(SERVICE)))
def test_no_statement_with_numbered_parameters_stands_in_python(path):
    strings = [node.value for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if is_text(node)]
    assert [text for text in strings if re.search(r"\$[0-9]", text)] == []


def is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)

"""What OpenLineage events tell of datasets is read the same by both decoders, and nothing ill-formed stops it."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.column_mapping import InputColumn, MappedColumn, MappedColumns, Transformation
from service.domain.dataset_definitions import DatasetField
from service.domain.dataset_versions import version_told_by
from service.domain.event import DatasetName
from service.domain.tags import TagChange
from service.payloads import lineage_contents
from service.payloads.dataset_facets import facets_in, read_facts
from service.payloads.lineage_contents import NO_LINEAGE, read_lineage

NAME = DatasetName("ds", "orders")


def event(**parts):
    return orjson.dumps({"eventTime": "2024-01-01T00:00:00Z", "producer": "p", **parts}).decode()


def facts(**facets):
    return read_facts({name: orjson.dumps(facet) for name, facet in facets.items()})


def dataset(facets=None, **parts):
    return {**NAME._asdict(), "facets": facets or {}, **parts}


def test_datasets_are_read_with_their_facets_and_those_of_the_run():
    schema = {"fields": [{"name": "id", "type": "int"}]}
    text = event(
        job={"namespace": "etl", "name": "load", "facets": {
            "sourceCodeLocation": {"url": "git://x"}, "documentation": {"description": "loads"},
            "tags": {"tags": [{"key": "gold"}]},
        }},
        inputs=[dataset({"schema": schema}, inputFacets={"dataQualityMetrics": {"rowCount": 3}})],
        outputs=[dataset({}, outputFacets={"outputStatistics": {"rowCount": 4}}), {"namespace": "", "name": "x"}],
        dataset=dataset(),
    )  # fmt: skip
    found = read_lineage(text, 1)
    (read,), (written,) = found.inputs, found.outputs
    assert (read.name, read.facets) == (NAME, {"dataQualityMetrics": b'{"rowCount":3}'})
    assert read.facts.fields == (DatasetField("id", "int"),)
    assert read.version == version_told_by(NAME, read.facts) is not None
    assert (written.version, written.facets) == (None, {"outputStatistics": b'{"rowCount":4}'})
    assert found.dataset.name == NAME
    assert (found.location, found.description, found.job_tags) == ("git://x", "loads", (TagChange("gold", added=True),))


def test_facets_are_read_once_and_told_again():
    text = event(outputs=[dataset({"schema": {"fields": [{"name": "once"}]}})])
    first, again = (read_lineage(text, position).outputs[0] for position in (1, 2))
    assert first.facts is again.facts


def read_facts_of(raw):
    return read_facts(facets_in(raw))


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(lineage_contents, "_REMEMBERED_BYTES", 10_000)
    memory = lineage_contents._Remembered(read_facts_of)
    for number in range(200):
        description = f"{number:0200}"
        found = memory.read(orjson.dumps({"documentation": {"description": description}}))
        assert found.description == description
    assert len(memory._young) + len(memory._old) < 100


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda x: st.lists(x, max_size=2),
    max_leaves=4,
)
FACETS = st.dictionaries(st.sampled_from(["schema", "documentation", "tags", "other", "ü"]), JSON, max_size=3)
DATASETS = st.lists(
    st.fixed_dictionaries(
        {"namespace": st.sampled_from(["ds", "s3://b", "é"]), "name": st.sampled_from(["a", "b:c"])},
        optional={"facets": FACETS | JSON, "inputFacets": FACETS, "outputFacets": FACETS | JSON},
    ),
    max_size=3,
)


@given(DATASETS, DATASETS)
def test_both_decoders_read_the_same(inputs, outputs):
    plain = event(job={"namespace": "a", "name": "b"}, inputs=inputs, outputs=outputs)
    refused = event(job={"namespace": "a", "name": "b"}, inputs=inputs, outputs=outputs, run={"runId": "\0"})
    assert "\\u0000" in refused
    assert read_lineage(plain, 1) == read_lineage(refused, 1)


@given(st.dictionaries(st.sampled_from(["inputs", "outputs", "job", "dataset", "run"]), JSON | DATASETS))
def test_no_event_stops_the_projection(parts):
    found = read_lineage(event(**parts), 1)
    assert all(each.name.namespace and each.name.name for each in (*found.inputs, *found.outputs))


@pytest.mark.parametrize("text", ["", "[]", "null", '{"inputs":'])
def test_what_is_no_event_tells_nothing(text):
    assert read_lineage(text, 1) == NO_LINEAGE


def test_half_a_surrogate_pair_does_not_take_the_schema_away():
    text = event(outputs=[dataset({"schema": {"fields": [{"name": "a", "type": "X"}]}})]).replace("X", "\\ud800")
    (found,) = read_lineage(text, 1).outputs
    assert found.facts.fields == (DatasetField("a", "?"),)


def test_a_schema_has_its_fields_as_they_are():
    schema = {"fields": [
        {"name": "a"}, {"name": "b", "type": "struct", "fields": [{"name": "c"}]}, {"name": "a", "type": "int"},
        {"type": "int"}, "x", {"name": "d\0", "description": "text"},
    ]}  # fmt: skip
    assert facts(schema=schema).fields == (
        DatasetField("a", None), DatasetField("b", "struct"), DatasetField("d", None, "text"),
    )  # fmt: skip


def test_a_schema_that_is_deleted_has_no_fields_and_an_absent_one_tells_nothing():
    assert read_facts(facets_in(b'{"schema":{"_deleted":true}}')).fields == ()
    assert facts(documentation={}).fields is None
    assert facts(schema=None).fields is None


def test_the_source_is_read_without_the_password():
    found = facts(dataSource={"name": "dw", "uri": "postgres://u:secret@h/db"})
    assert (found.source, found.source_url) == ("dw", "postgres://u:***@h/db")
    assert orjson.loads(found.facets["dataSource"]) == {"name": "dw", "uri": "postgres://u:***@h/db"}
    told = {"dataSource": b'{ "uri":"postgres://u@h/db" }'}
    assert read_facts(told).facets == told, "a facet without a password stays as it was received"
    for raw in (b'{"uri":"x://u:secret@h","uri":"x://h"}', rb'{"\u0075ri":"x://u:secret@h","uri":"x://h"}'):
        assert b"secret" not in read_facts({"dataSource": raw}).facets["dataSource"]


def test_other_names_are_those_of_symlinks_and_of_a_rename():
    symlinks = {"identifiers": [{"namespace": "hive", "name": "db.t", "type": "TABLE"}, {"name": "x"}, 1]}
    change = {"lifecycleStateChange": "RENAME", "previousIdentifier": {"namespace": "ds", "name": "old"}}
    found = facts(symlinks=symlinks, lifecycleStateChange=change)
    assert found.links == (DatasetName("hive", "db.t"), DatasetName("ds", "old"))
    assert facts(lifecycleStateChange={**change, "lifecycleStateChange": "ALTER"}).links == ()
    assert found.lifecycle == "RENAME"


def test_tags_are_those_of_the_facet_and_of_the_fields():
    found = facts(
        tags={"tags": [{"key": "gold", "value": "true"}, {"key": "PII", "field": "email"}, {"value": "x"}]},
        schema={"fields": [{"name": "id", "tags": ["key", 3]}]},
    )
    assert found.tags == (
        TagChange("gold", added=True),
        TagChange("PII", added=True, field="email"),
        TagChange("key", added=True, field="id"),
    )  # fmt: skip


def test_a_column_mapping_is_read_old_and_new():
    found = facts(columnLineage={
        "fields": {
            "a": {"inputFields": [{"namespace": "ds", "name": "raw", "field": "x"}], "transformationType": "IDENTITY"},
            "b": {"inputFields": [{"namespace": "ds", "name": "raw", "field": "y", "transformations": [
                {"type": "DIRECT", "subtype": "TRANSFORMATION", "description": "", "masking": True}, 1,
            ]}, {"field": "z"}]},
            "c": [],
        },
        "dataset": [{"namespace": "ds", "name": "raw", "field": "w"}],
    }).mapping  # fmt: skip
    assert found == MappedColumns(
        {
            "a": MappedColumn((InputColumn("ds", "raw", "x"),), "IDENTITY"),
            "b": MappedColumn(
                (InputColumn("ds", "raw", "y", (Transformation("DIRECT", "TRANSFORMATION", "", masking=True),)),)
            ),
        },
        (InputColumn("ds", "raw", "w"),),
    )

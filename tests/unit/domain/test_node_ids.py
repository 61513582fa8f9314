"""The ids of nodes: every id that is written is read back, whatever the names contain."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.event import DatasetName, JobName
from service.domain.node_ids import (
    NodeKind,
    Split,
    dataset_node,
    field_node,
    field_splits,
    job_node,
    parse_node_id,
    split_version,
    splits,
)

GRAPH = (NodeKind.JOB, NodeKind.DATASET)
names = st.one_of(
    st.text(min_size=1, max_size=12),
    st.text(st.sampled_from(":/%#.a1 ø"), min_size=1, max_size=12),
    st.sampled_from(["s3://bucket", "postgres://host:5432", "jdbc:h2:mem:x", "2024/x", "a%3Ab", "%", "::", ":", "#"]),
)


@given(names, names)
def test_every_id_of_a_job_or_a_dataset_is_read_back(namespace, name):
    for kind, written in (
        (NodeKind.JOB, job_node(JobName(namespace, name))),
        (NodeKind.DATASET, dataset_node(DatasetName(namespace, name))),
    ):
        node = parse_node_id(written, GRAPH)
        assert node.kind is kind
        assert Split(namespace, name) in list(splits(node.names))


@given(names, names, names, st.one_of(st.none(), st.uuids()))
def test_every_id_of_a_field_is_read_back(namespace, name, field, version):
    node = parse_node_id(field_node(DatasetName(namespace, name), field, version), tuple(NodeKind))
    rest, found = split_version(node.names)
    assert node.kind is NodeKind.FIELD
    assert found == version or version is None  # a field's own name may end like a version
    assert Split(namespace, name, field) in [*field_splits(node.names), *field_splits(rest)]


@pytest.mark.parametrize(
    ("names", "first"),
    [
        ("g:chain.t1", ("g", "chain.t1")),
        ("s3://bucket:a:b/c", ("s3://bucket", "a:b/c")),
        ("s3://bucket:2024/x.parquet", ("s3://bucket", "2024/x.parquet")),
        ("postgres://host:5432:db.public.t", ("postgres://host:5432", "db.public.t")),
        ("g:http://x:80/y", ("g", "http://x:80/y")),
        ("bigquery:proj.ds.t:part", ("bigquery", "proj.ds.t:part")),
    ],
)
def test_the_likeliest_reading_comes_first(names, first):
    assert next(splits(names)) == Split(*first)


@given(st.lists(st.sampled_from(["a", "%41", "%3A", "s3://b", "x%"]), min_size=3, max_size=6))
def test_encoded_names_are_read_as_each_reading_of_the_names_as_they_are(parts):
    names = ":".join(parts)
    for read in (splits, field_splits):
        found = list(read(names))
        plain = found if unquote(names) == names else found[: len(found) // 2]
        assert found[len(plain) :] == [Split(*map(unquote, each)) for each in plain if plain is not found]


@pytest.mark.parametrize("part", ["a", "%41"])
def test_an_id_of_thousands_of_colons_is_read_in_bounded_time(part):
    names = ":".join([part] * 4000)
    assert sum(sum(map(len, each)) for each in [*splits(names), *field_splits(names)]) < 40 * 1024 * 1024


def test_encoded_names_are_found_after_the_names_as_they_are():
    found = list(splits("jdbc%3Ah2:A%25B"))
    assert found == [Split("jdbc%3Ah2", "A%25B"), Split("jdbc:h2", "A%B")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "job",
        "job:",
        "job:g",
        "job:g:",
        "job::x",
        "run:x:y",
        "wat:g:x",
        "JOB:g:x",
        "1738e3bb-0cc7-416a-b0f7-cf8cbaf748a3",
    ],
)
def test_a_malformed_id_is_refused_with_what_an_id_looks_like(text):
    with pytest.raises(ValueError, match="job:NAMESPACE:NAME or dataset:NAMESPACE:NAME"):
        parse_node_id(text, GRAPH)


def test_the_id_of_a_field_with_very_many_colons_has_a_bounded_number_of_readings():
    text = f"s3://bucket:t:struct<{','.join(f'c{number}:int' for number in range(500))}>"
    readings = list(field_splits(text))
    assert readings[0] == ("s3://bucket", "t", text.removeprefix("s3://bucket:t:"))
    assert len(readings) <= 20_000

"""What commands on datasets, sources and tags record is read as it was sent."""

from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.dataset_definitions import DatasetField
from service.domain.event import DatasetName, Event, Kind, Subject
from service.domain.payload import EMPTY_PAYLOAD
from service.domain.tags import TagChange
from service.payloads import command_records
from service.payloads.contents import decode_payload

AT = datetime(2024, 1, 1, tzinfo=UTC)
FACT = b"f" * 16
RUN = "870492da-ecfb-4be0-91b9-9a89ddd3db90"
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=50)


def event(subject: Subject, kind: Kind, source: str = "api") -> Event:
    return Event(7, subject, UUID(int=1), kind, None, AT, AT, None, None, None, source, None, FACT, None, b"d" * 32)


def decoded(subject, kind, payload):
    return decode_payload(event(subject, kind), payload.decode())


@given(names, names, names, names)
def test_a_definition_of_a_dataset_is_read_with_any_names(namespace, name, field, tag):
    body = {
        "type": "STREAM",
        "physicalName": name,
        "sourceName": "s",
        "schemaLocation": "http://x",
        "fields": [{"name": field, "tags": [tag]}, {"name": "id", "type": "INT", "description": "the id"}],
        "tags": [tag],
        "runId": RUN,
        "unknown": 1,
    }
    dataset = DatasetName(namespace, name)
    found = decoded(Subject.DATASET, Kind.DEFINED, command_records.write_dataset(dataset, orjson.dumps(body)))
    assert found.dataset == dataset
    assert found.definition == (
        *(AT, FACT, "STREAM", name, "s"),
        (DatasetField(field, None), DatasetField("id", "INT", "the id")),
        *(None, "http://x", UUID(RUN)),
    )
    assert found.tags == (TagChange(tag, added=True), TagChange(tag, added=True, field=field))


@given(names, names, st.none() | names, st.booleans())
def test_a_change_of_a_tag_is_read_with_any_names(name, tag, field, added):
    kind = Kind.TAGGED if added else Kind.UNTAGGED
    change, dataset = TagChange(tag, added, field), DatasetName("ns", name)
    found = decoded(Subject.DATASET, kind, command_records.write_tag_change(change, dataset))
    assert (found.dataset, found.tags) == (dataset, (change,))
    of_job = decoded(Subject.JOB, kind, command_records.write_tag_change(TagChange(tag, added), None))
    assert (of_job.dataset, of_job.tags) == (None, (TagChange(tag, added),))


@given(names)
def test_definitions_of_sources_and_tags_are_read_with_any_name(name):
    body = {"type": "POSTGRESQL", "connectionUrl": "postgresql://u:hidden@db/dw"}
    source = decoded(Subject.SOURCE, Kind.DEFINED, command_records.write_source(name, orjson.dumps(body))).definition
    assert source[:6] == (AT, FACT, name, "POSTGRESQL", "postgresql://u:***@db/dw", None)
    other = body | {"connectionUrl": "postgresql://u:changed@db/dw"}
    changed = decoded(Subject.SOURCE, Kind.DEFINED, command_records.write_source(name, orjson.dumps(other))).definition
    assert changed.connection_url == source.connection_url
    assert changed.check != source.check
    tag = decoded(Subject.TAG, Kind.DEFINED, command_records.write_tag(name, b'{"description":"d"}')).definition
    assert tag == (AT, FACT, name, "d")


def test_a_deletion_of_a_dataset_has_its_name():
    dataset = DatasetName("ns", "d")
    assert decoded(Subject.DATASET, Kind.DELETED, command_records.write_dataset(dataset)) == EMPTY_PAYLOAD._replace(
        dataset=dataset
    )


@pytest.mark.parametrize("subject", [Subject.DATASET, Subject.SOURCE, Subject.TAG, Subject.JOB])
def test_a_payload_of_another_shape_is_ignored(subject, caplog):
    assert decoded(subject, Kind.TAGGED, b'{"a":1}') == EMPTY_PAYLOAD
    assert "cannot be decoded" in caplog.text


def test_an_event_that_was_imported_is_no_command():
    payload = command_records.write_tag("x", b"{}").decode()
    assert decode_payload(event(Subject.TAG, Kind.DEFINED, "openlineage"), payload) == EMPTY_PAYLOAD

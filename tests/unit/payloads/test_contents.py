"""The content of payloads."""

import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from histories import RUN, at
from hypothesis import given
from hypothesis import strategies as st

from service.domain.event import NO_CONTENT, DatasetName, Event
from service.domain.job import JobDefinition
from service.domain.namespace import NamespaceDefinition
from service.payloads.contents import creator_content, decode_payload, lineage_content, parent_run, read_event
from service.payloads.event_slices import event_from_slices
from service.payloads.run_ids import parse_uuid, run_uuid
from service.payloads.schemas import decode_create_run

ID = "870492da-ecfb-4be0-91b9-9a89ddd3db90"


def event(*, source="api", subject="run", kind="transition", state=None):
    nothing = (None, None, None)
    return Event(1, subject, RUN, kind, state, at(0), at(1), "etl", "load", None, source, None, b"f" * 16, *nothing[:2])


def created(**body):
    return decode_create_run(json.dumps(body))


def lineage(**more):
    return {"eventTime": "2024-01-01T00:00:00Z", "producer": "p", **more}


@pytest.mark.parametrize(
    ("args", "kept"),
    [
        ({"a": "x"}, {"a": "x"}),
        ({"a": 1, "b": -2.5, "c": True, "d": False}, {"a": "1", "b": "-2.5", "c": "true", "d": "false"}),
        ({"a": 10**25}, {"a": "1" + "0" * 25}),
        ({}, None),
        (None, None),
    ],
)
def test_args_are_kept_as_strings(args, kept):
    found = creator_content(created(args=args)).args
    assert (json.loads(found) if found else None) == kept


def test_args_are_the_same_in_whatever_order_they_come():
    one, two = created(args={"a": 1, "b": 2}), created(args={"b": 2, "a": 1})
    assert creator_content(one) == creator_content(two)


def test_a_creators_nominal_times_are_utc():
    content = creator_content(created(nominalStartTime="2020-01-01T01:00:00+02:00"))
    assert (content.nominal_start, content.nominal_end) == (datetime(2019, 12, 31, 23, tzinfo=UTC), None)


def test_facets_stay_the_bytes_they_came_as():
    text = '{"eventTime":"2024-01-01T00:00:00Z","producer":"p","run":{"runId":"r","facets":{"a": { "x" : 1.0 } }}}'
    assert lineage_content(read_event(text)).run_facets == {"a": b'{ "x" : 1.0 }'}


def test_an_event_that_msgspec_will_not_read_is_sliced():
    text = json.dumps(
        lineage(
            eventType="START",
            run={"runId": ID, "facets": {"a": {"x": "\ud800"}}},
            job={"namespace": "n", "name": "j", "facets": {"b": {"y": 1}}},
            inputs=[{"namespace": "n", "name": "i"}],
            outputs=[],
            schemaURL=None,
        )
    )
    content = lineage_content(read_event(text))
    assert content.run_facets == {"a": b'{"x": "\\ud800"}'}
    assert content.job_facets == {"b": b'{"y": 1}'}
    assert (content.inputs, content.outputs) == ((DatasetName("n", "i"),), None)


def test_slicing_and_reading_say_the_same():
    text = json.dumps(
        lineage(
            eventType="COMPLETE",
            run={"runId": ID, "facets": {"nominalTime": {"nominalStartTime": "2024-01-01T00:00:00Z"}}},
            job={"namespace": "n", "name": "j"},
            outputs=[{"namespace": "n", "name": "o", "facets": {"schema": {}}}],
        )
    )
    assert lineage_content(event_from_slices(text)) == lineage_content(read_event(text))


def test_a_deleted_facet_is_deleted_and_a_null_one_says_nothing():
    content = lineage_content(
        read_event(
            json.dumps(
                lineage(
                    run={
                        "runId": ID,
                        "facets": {"a": {"_deleted": True}, "b": {"_deleted": False}, "c": None, "d": {"_deleted": 7}},
                    }
                )
            )
        )
    )
    assert content.run_facets == {"a": None, "b": b'{"_deleted": false}', "d": b'{"_deleted": 7}'}


@pytest.mark.parametrize(
    ("facet", "times"),
    [
        ({"nominalStartTime": "2024-01-01T12:00:00Z", "nominalEndTime": "2024-01-01T12:01:00Z"}, (at(0), at(1))),
        ({"nominalStartTime": "2024-01-01T12:00:00Z"}, (at(0), None)),
        ({"nominalStartTime": "2024-01-01T12:00:00Z", "nominalEndTime": "soon"}, (at(0), None)),
        ({"nominalStartTime": None, "nominalEndTime": ""}, (None, None)),
        ({"nominalStartTime": 7}, None),
        ([], None),
        ({"_deleted": True}, None),
    ],
)
def test_a_nominal_time_facet_sets_what_can_be_read_of_it(facet, times):
    text = json.dumps(lineage(run={"runId": ID, "facets": {"nominalTime": facet}}))
    assert lineage_content(read_event(text)).facet_nominal == times


@pytest.mark.parametrize(
    ("facet", "parent"),
    [
        ({"run": {"runId": ID}, "job": {}}, UUID(ID)),
        ({"run": {"runId": "not-a-uuid"}}, run_uuid("not-a-uuid")),
        ({"run": {}}, None),
        ({"run": {"runId": 7}}, None),
        ({}, None),
        ([], None),
    ],
)
def test_a_parent_facet_names_the_parent_run(facet, parent):
    text = json.dumps(lineage(run={"runId": str(uuid4()), "facets": {"parent": facet}}))
    assert parent_run(read_event(text)) == parent


def test_an_event_without_a_parent_facet_has_none():
    assert parent_run(read_event(json.dumps(lineage(run={"runId": ID})))) is None
    assert parent_run(read_event(json.dumps(lineage()))) is None


def test_a_run_id_that_is_no_uuid_becomes_the_one_java_makes_of_it():
    # What nameUUIDFromBytes makes of the bytes of hello.
    assert run_uuid("hello") == UUID("5d41402a-bc4b-3a76-b971-9d911017c592")
    assert run_uuid(ID.upper()) == UUID(ID)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        ID.replace("-", ""),
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        f"{ID} ",
        ID[:-1] + "g",
        ID[:-1] + "\N{ARABIC-INDIC DIGIT ZERO}",
        f"0x{ID[2:]}",
        f"{ID[:-2]}_0",
    ],
)
def test_only_the_36_characters_of_a_uuid_are_a_uuid(text):
    assert parse_uuid(text) is None


@given(st.text())
def test_no_run_id_breaks_the_reader(text):
    try:
        assert isinstance(run_uuid(text), UUID)
    except UnicodeEncodeError:
        assert not text.isascii()


def test_a_payload_that_is_gone_says_nothing():
    assert decode_payload(event(state="NEW"), None).content == NO_CONTENT


def test_a_creation_says_its_args():
    content = decode_payload(event(state="NEW"), '{"args":{"a":1},"wat":2}')
    assert content.content.args == b'{"a":"1"}'


def test_a_definition_says_what_was_put():
    job = decode_payload(
        event(subject="job", kind="defined"), '{"type":"STREAM","inputs":[],"outputs":[],"location":"l"}'
    )
    namespace = decode_payload(event(subject="namespace", kind="defined"), '{"ownerName":"me"}')
    assert job.definition == JobDefinition(at(0), b"f" * 16, "STREAM", "l", None)
    assert namespace.definition == NamespaceDefinition(at(0), b"f" * 16, "me", None)


def test_an_openlineage_event_says_its_facets():
    text = json.dumps(lineage(run={"runId": ID, "facets": {"a": {"x": 1}}}))
    assert decode_payload(event(source="openlineage"), text).content.run_facets == {"a": b'{"x": 1}'}


def test_other_payloads_say_nothing():
    assert decode_payload(event(source="openlineage", subject="dataset"), "{}").content == NO_CONTENT
    assert decode_payload(event(source="api", state="RUNNING"), "{}").content == NO_CONTENT

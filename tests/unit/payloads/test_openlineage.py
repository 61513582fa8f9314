"""OpenLineage events: which are taken, which are refused, and what of them is recorded."""

import contextlib
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain import timestamps
from service.domain.event import Kind, RunState, Subject
from service.domain.ids import job_id, stream_of
from service.errors import Invalid, Malformed
from service.payloads.contents import decode_payload
from service.payloads.openlineage import Origin, read_lineage_event
from service.payloads.raw_json import MAX_DEPTH, too_deep

NOW = datetime(2024, 2, 2, tzinfo=UTC)
ORIGIN = Origin("openlineage", "airflow")
RUN = "5bf5d05f-86b6-4d05-8e1d-10ee667e37ba"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"


def event(**changes) -> dict:
    """Return a whole RunEvent with some of its parts changed; a change to None takes the part out."""
    parts = {
        "eventType": "START",
        "eventTime": "2024-02-01T00:00:00Z",
        "run": {"runId": RUN, "facets": {}},
        "job": {"namespace": "ns", "name": "job", "facets": {}},
        "producer": "https://example.com",
        "schemaURL": SCHEMA + "RunEvent",
        "inputs": [],
        "outputs": [],
    } | changes
    return {name: value for name, value in parts.items() if value is not None}


def read(what):
    return read_lineage_event(what if isinstance(what, bytes) else json.dumps(what).encode(), ORIGIN, NOW)


def fields(what) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        read(what)
    return {error.field: error.message for error in caught.value.errors}


def test_an_event_becomes_a_fact_that_is_known_by_its_bytes():
    body = json.dumps(event()).encode()
    draft = read(body)
    assert draft[:9] == (
        Subject.RUN,
        UUID(RUN),
        Kind.TRANSITION,
        RunState.RUNNING,
        datetime(2024, 2, 1, tzinfo=UTC),
        "ns",
        "job",
        None,
        "openlineage",
    )
    assert draft.actor == "airflow"
    assert draft.payload_digest == sha256(body).digest()
    assert draft.fact == draft.payload_digest[:16]
    assert draft.payload == body.decode()
    assert draft.request_digest is None


@pytest.mark.parametrize(
    ("event_type", "state"),
    [
        ("START", RunState.RUNNING),
        ("RUNNING", RunState.RUNNING),
        ("COMPLETE", RunState.COMPLETED),
        ("FAIL", RunState.FAILED),
        ("ABORT", RunState.ABORTED),
        ("OTHER", None),
        (None, None),
    ],
)
def test_the_event_type_says_the_state_or_that_there_is_none(event_type, state):
    draft = read(event(eventType=event_type))
    assert draft.state == state
    assert draft.kind == (Kind.TRANSITION if state else Kind.FACTS)


def test_the_schema_url_says_what_an_event_is_about():
    about_job = read(event(schemaURL=SCHEMA + "JobEvent", run=None, eventType=None))
    assert about_job[:5] == (Subject.JOB, job_id("ns", "job"), Kind.FACTS, None, datetime(2024, 2, 1, tzinfo=UTC))
    assert (about_job.namespace, about_job.job) == ("ns", "job")
    dataset = event(
        schemaURL=SCHEMA + "DatasetEvent", run=None, eventType=None, dataset={"namespace": "db", "name": "t"}
    )
    about_dataset = read(dataset)
    assert about_dataset[:3] == (Subject.DATASET, stream_of("db", "t"), Kind.FACTS)
    assert (about_dataset.namespace, about_dataset.job) == ("db", None)


@pytest.mark.parametrize("url", [None, "https://example.com/mine.json", "", "#/$defs/Event"])
def test_where_the_schema_url_does_not_say_it_the_content_does(url):
    assert read(event(schemaURL=url)).subject is Subject.RUN
    assert read(event(schemaURL=url, run=None, eventType=None)).subject is Subject.JOB
    dataset = {"namespace": "db", "name": "t"}
    bare = event(schemaURL=url, run=None, eventType=None, job=None, dataset=dataset)
    assert read(bare).subject is Subject.DATASET


def test_what_the_schema_url_promises_must_be_there():
    assert fields(event(schemaURL=SCHEMA + "DatasetEvent", run=None)) == {"dataset": "is missing"}
    nameless = event(schemaURL=SCHEMA + "DatasetEvent", run=None, dataset={"namespace": "db", "name": ""})
    assert fields(nameless) == {"dataset.name": "must not be empty"}
    assert fields(event(run=None)) == {"run": "is missing"}
    assert fields(event(schemaURL=None, run=None)) == {"run": "is missing"}


def test_every_missing_field_is_named():
    assert fields({}) == dict.fromkeys(["eventTime", "producer", "run", "job"], "is missing")
    assert fields(event(run={}, job={})) == dict.fromkeys(["run.runId", "job.namespace", "job.name"], "is missing")


@pytest.mark.parametrize("kind", ["JobEvent", "DatasetEvent"])
def test_a_run_in_an_event_that_is_about_no_run_by_its_schema_url_is_refused(kind):
    """It would be recorded without its transition."""
    contradiction = event(schemaURL=SCHEMA + kind, dataset={"namespace": "db", "name": "t"}, eventType="COMPLETE")
    assert "contradicts the schemaURL" in fields(contradiction)["run"]


def test_every_ill_typed_field_that_an_event_is_recorded_by_is_named():
    wrong = event(
        eventTime=5,
        producer=[],
        eventType={},
        schemaURL=7,
        run=[],
        job={"namespace": 1, "name": "", "facets": []},
        inputs={},
        outputs=[{"namespace": "a"}, 5, {"namespace": "a", "name": "b"}],
    )
    assert fields(wrong) == {
        "eventTime": "must be a string",
        "producer": "must be a string",
        "eventType": "must be a string",
        "run": "must be an object",
        "job.namespace": "must be a string",
        "job.name": "must not be empty",
    }


@pytest.mark.parametrize("text", ["complete", "Complete", "cOMPLETE"])
def test_the_event_type_is_read_in_any_case(text):
    assert read(event(eventType=text)).state == RunState.COMPLETED


def test_only_ascii_letters_have_another_case_here():
    assert set(fields(event(eventType="\N{LATIN SMALL LETTER LONG S}TART"))) == {"eventType"}


def test_an_unknown_event_type_is_refused():
    assert fields(event(eventType="WAT")) == {
        "eventType": "'WAT' is none of START, RUNNING, COMPLETE, FAIL, ABORT, OTHER"
    }


def test_a_time_that_is_none_or_too_far_ahead_is_refused():
    assert "is not an ISO 8601 timestamp" in fields(event(eventTime="nonsense"))["eventTime"]
    assert "24 hours ahead" in fields(event(eventTime="2033-02-01T00:00:00Z"))["eventTime"]
    assert read(event(eventTime="2024-02-02T23:59:59Z")).transitioned_at == NOW + timedelta(
        hours=23, minutes=59, seconds=59
    )


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2024-02-01T02:00:02+02:00", datetime(2024, 2, 1, 0, 0, 2, tzinfo=UTC)),
        ("2024-02-01T00:00:02", datetime(2024, 2, 1, 0, 0, 2, tzinfo=UTC)),
        ("2024-02-01T00:00:00.1234567Z", datetime(2024, 2, 1, 0, 0, 0, 123456, tzinfo=UTC)),
        ("0001-01-01T00:00:01Z", datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC)),
    ],
)
def test_event_times_are_read_with_any_offset_or_none(text, at):
    draft = read(event(eventTime=text))
    assert draft.transitioned_at == at
    assert draft.transitioned_at.tzinfo is UTC


@given(st.datetimes(), st.sampled_from(["Z", "+00:00", "+05:30", "-11:00", ""]), st.integers(0, 9))
def test_the_quick_way_to_read_a_time_comes_to_the_same_as_the_slow_one(at, offset, digits):
    text = at.strftime("%Y").zfill(4) + at.strftime("-%m-%dT%H:%M:%S")
    text += f".{at.microsecond:06d}000"[: digits + 1] if digits else ""
    fraction = f"{at.microsecond:06d}"[:digits].ljust(6, "0") if digits else "000000"
    try:
        read_time = timestamps.parse(text + offset)
    except ValueError:
        assert at.year in (1, 9999)  # beyond the calendar once it is UTC
        return
    shift = {"+05:30": timedelta(hours=5, minutes=30), "-11:00": -timedelta(hours=11)}.get(offset, timedelta())
    assert read_time == at.replace(microsecond=int(fraction), tzinfo=UTC) - shift


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"nonsense", "not JSON"),
        (b'{"a":01}', "not JSON"),
        (b'{"a":NaN}', "not JSON"),
        (b'{"a":"\x01"}', "not JSON"),
        (b"[]", "is a JSON object"),
        (b"5", "is a JSON object"),
        (b"null", "is a JSON object"),
        (b'"text"', "is a JSON object"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        (b"[" * 1_000_000, "nested deeper"),
        (b'{"a":' * 100_000, "nested deeper"),
    ],
)
def test_what_is_no_event_at_all_is_malformed(body, why):
    with pytest.raises(Malformed, match=why):
        read(body)


@pytest.mark.parametrize("place", ["namespace", "name"])
@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800"])
def test_names_that_cannot_be_recorded_are_refused(place, escape):
    body = json.dumps(event(job={"namespace": "a", "name": "b"} | {place: "QQ"})).replace("QQ", escape)
    assert set(fields(body.encode())) == {f"job.{place}"}


def test_names_have_an_end():
    assert read(event(job={"namespace": "ä" * 1024, "name": "n"})).namespace == "ä" * 1024
    assert set(fields(event(job={"namespace": "ä" * 1025, "name": "n" * 1025}))) == {
        "job.namespace",
        "job.name",
    }


@pytest.mark.parametrize(
    "facet",
    ['{"a":1e400}', '{"a":%s}' % ("9" * 6000), '{"a":"\\ud800"}', '{"a":"\\u0000"}', "[" * 400 + "]" * 400],
)
def test_whatever_is_json_is_kept_to_the_byte_in_a_facet(facet):
    body = json.dumps(event(run={"runId": RUN, "facets": {"f": "QQ"}})).replace('"QQ"', facet).encode()
    draft = read_lineage_event(body, ORIGIN, NOW)
    assert draft.payload.encode() == body
    assert decode_payload(draft.at(1, NOW), draft.payload).content.run_facets == {"f": facet.encode()}


def test_an_event_is_as_deep_as_its_deepest_facet():
    def deep(levels):
        return json.dumps(event(run={"runId": RUN, "facets": {"f": "QQ"}})).replace('"QQ"', "[" * levels + "]" * levels)

    assert read(deep(MAX_DEPTH - 3).encode())
    with pytest.raises(Malformed, match="nested deeper"):
        read(deep(MAX_DEPTH - 2).encode())


def test_brackets_in_strings_and_side_by_side_are_not_deep():
    assert not too_deep(json.dumps(["[{" * 5000, '"\\"[' * 5000]).encode())
    assert not too_deep(b"[" + b"[]," * 5000 + b"[]]")
    assert not too_deep(b'{"a\\\\":"' + b"[" * 5000 + b'\\"[[[","b":[]}' + b" " * 5000)
    assert too_deep(b'["\\\\",' + b"[" * (MAX_DEPTH + 1))


def test_a_run_id_that_is_no_uuid_becomes_what_java_makes_of_it():
    draft = read(event(run={"runId": "my-run-1"}))
    assert draft.stream == UUID("9eaf075a-7d72-3143-8040-9cf47f401b86")
    assert read(event(run={"runId": "my-run-1"}, eventType="FAIL")).stream == draft.stream
    assert set(fields(json.dumps(event(run={"runId": "QQ"})).replace("QQ", "\\ud800").encode())) == {"run.runId"}


def test_the_parent_is_read_from_either_facet_and_from_parent_first():
    one, two = ({"run": {"runId": str(UUID(int=n))}, "job": {"namespace": "a", "name": "b"}} for n in (1, 2))

    def parent_of(**facets):
        return read(event(run={"runId": RUN, "facets": facets})).parent_run

    assert parent_of(parentRun=two) == UUID(int=2)
    assert parent_of(parent=one, parentRun=two) == parent_of(parentRun=two, parent=one) == UUID(int=1)
    assert parent_of(parent={"odd": 1}, parentRun=two) == UUID(int=2)
    assert parent_of(parent={"odd": 1}, parentRun=[]) is None


def test_a_parent_facet_names_the_parent_run():
    parent = {"run": {"runId": "d54b2f42-6b2d-4b8e-98b0-23b383ea74d9"}, "job": {"namespace": "a", "name": "b"}}
    draft = read(event(run={"runId": RUN, "facets": {"parent": parent}}))
    assert draft.parent_run == UUID("d54b2f42-6b2d-4b8e-98b0-23b383ea74d9")
    assert read(event(run={"runId": RUN, "facets": {"parent": {"odd": 1}}})).parent_run is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_nothing_makes_reading_fail_in_another_way(value):
    for body in (json.dumps(value), json.dumps(event(run=value, inputs=value, eventType=value))):
        with contextlib.suppress(Malformed, Invalid):
            read(body.encode())

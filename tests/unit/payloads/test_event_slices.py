"""Ill-formed parts of OpenLineage events that no transition needs."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from service.domain.event import DatasetName, RunState, Subject
from service.payloads.contents import decode_payload
from service.payloads.event_slices import LeftOut
from service.payloads.openlineage import Origin, read_lineage_event

NOW = datetime(2024, 2, 2, tzinfo=UTC)
ORIGIN = Origin("openlineage")
RUN = "5bf5d05f-86b6-4d05-8e1d-10ee667e37ba"
EVENT = {
    "eventType": "COMPLETE",
    "eventTime": "2024-02-01T00:00:00Z",
    "run": {"runId": RUN, "facets": {}},
    "job": {"namespace": "ns", "name": "job", "facets": {}},
    "producer": "https://example.com",
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
}
GOOD = {"namespace": "db", "name": "t"}
ILL_FORMED = {
    "a dataset with an empty name": ({"outputs": [{"namespace": "s3://b", "name": ""}, GOOD]}, {"dataset": 1}),
    "a dataset with an empty namespace": ({"outputs": [GOOD, {"namespace": "", "name": "t"}]}, {"dataset": 1}),
    "a dataset without a name": ({"outputs": [{"namespace": "x"}, GOOD]}, {"dataset": 1}),
    "a name with half a surrogate pair": ({"outputs": [{"namespace": "x", "name": "\udc00"}, GOOD]}, {"dataset": 1}),
    "a name with NUL": ({"outputs": [{"namespace": "x", "name": "\0"}, GOOD]}, {"dataset": 1}),
    "null and a number": ({"outputs": [None, GOOD, 5]}, {"dataset": 2}),
    "inputs are an object": ({"inputs": {}, "outputs": [GOOD]}, {"field": 1}),
    "inputs are text": ({"inputs": "t", "outputs": [GOOD]}, {"field": 1}),
    "more than are decoded one by one": ({"inputs": [5] * 10_001, "outputs": [GOOD]}, {"dataset": 10_000, "field": 1}),
    "facets are an array": ({"run": {"runId": RUN, "facets": []}, "outputs": [GOOD]}, {"field": 1}),
    "facets of the job are text": (
        {"job": {"namespace": "ns", "name": "job", "facets": "x"}, "outputs": [GOOD]},
        {"field": 1},
    ),
    "a facet's name has half a surrogate pair": (
        {"run": {"runId": RUN, "facets": {"a\ud800": {}}}, "outputs": [GOOD]},
        {"facet": 1},
    ),
    "a facet's name has NUL": ({"run": {"runId": RUN, "facets": {"a\0": {}}}, "outputs": [GOOD]}, {"facet": 1}),
    "schemaURL is a number": ({"schemaURL": 7, "outputs": [GOOD]}, {"field": 1}),
    "dataset is no object": ({"dataset": [], "outputs": [GOOD]}, {"field": 1}),
    "a dataset of a run without a name": ({"dataset": {"namespace": "x"}, "outputs": [GOOD]}, {"field": 1}),
    "a parent without a run": (
        {"run": {"runId": RUN, "facets": {"parent": {"run": 5}}}, "outputs": [GOOD]},
        {"facet": 1},
    ),
}


@pytest.mark.parametrize(("changes", "expected"), ILL_FORMED.values(), ids=ILL_FORMED)
def test_what_no_transition_needs_never_costs_a_run_its_end(changes, expected):
    body = json.dumps(EVENT | changes).encode()
    left_out = LeftOut()
    draft = read_lineage_event(body, ORIGIN, NOW, left_out)
    assert (draft.subject, draft.stream, draft.state) == (Subject.RUN, UUID(RUN), RunState.COMPLETED)
    assert (draft.namespace, draft.job, draft.payload) == ("ns", "job", body.decode())
    content = decode_payload(draft.at(1, NOW), draft.payload).content
    assert content.outputs == (DatasetName("db", "t"),)
    assert content.inputs is None
    assert content.run_facets.keys() <= {"parent"}
    assert +left_out == expected

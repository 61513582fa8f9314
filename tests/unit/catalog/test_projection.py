"""A page changes jobs and namespaces as each of its events alone would, however the projection groups them."""

import json
from hashlib import sha256

from histories import at
from hypothesis import given
from hypothesis import strategies as st

from service.catalog.projection import PageProjection
from service.domain.event import MONITOR, Event, Subject
from service.domain.ids import job_id, namespace_id
from service.domain.job import merge_jobs
from service.domain.namespace import merge_namespaces
from service.ledger.aggregates import AGGREGATES
from service.payloads.contents import decode_payload

names = st.sampled_from(["etl", "load"])
parts = st.fixed_dictionaries(
    {},
    optional={
        "facets": st.sampled_from([{}, {"owner": {"of": 1}}, {"owner": {"_deleted": True}}]),
        "inputs": st.sampled_from([[], [{"namespace": "db", "name": "a"}]]),
        "outputs": st.sampled_from([[], [{"namespace": "db", "name": "b"}]]),
    },
)
reports = st.tuples(st.sampled_from(["openlineage", "api", MONITOR]), names, names, st.integers(0, 3), parts)


def recorded(position, report):
    """Return an event of a run as the ledger has it, and its payload."""
    source, namespace, job, minute, told = report
    payload = None
    if source == "openlineage":
        payload = json.dumps(
            {"eventTime": at(minute).isoformat(), "producer": "p", "run": {"runId": "r"}}
            | {"job": {"namespace": namespace, "name": job, "facets": told.get("facets")}}
            | {side: told[side] for side in ("inputs", "outputs") if side in told}
        )
    fact = sha256(repr((position, report)).encode()).digest()
    digest = None if payload is None else fact
    event = Event(
        position, "run", job_id("run", str(minute)), "transition", "RUNNING", at(minute), at(position), namespace, job,
        None, source, None, fact[:16], None, digest,
    )  # fmt: skip
    return event, payload


@given(st.lists(reports, max_size=12))
def test_a_page_changes_jobs_and_namespaces_as_its_events_one_by_one(reported):
    page = PageProjection()
    jobs, namespaces = {}, {}
    for event, payload in [recorded(position, report) for position, report in enumerate(reported, 1)]:
        page.add(event, payload)
        if event.source == MONITOR:
            continue
        for subject, key, known, merge in (
            (Subject.JOB, job_id(event.namespace, event.job), jobs, merge_jobs),
            (Subject.NAMESPACE, namespace_id(event.namespace), namespaces, merge_namespaces),
        ):
            change = AGGREGATES[subject].from_event(event, decode_payload(event, payload))
            known[key] = merge(known[key], change) if key in known else change
    changes = page.changes()
    assert changes.jobs == jobs
    assert changes.namespaces == namespaces

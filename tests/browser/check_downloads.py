"""The downloads of the lists: each has exactly what the API answers to the filters, in its order."""

import csv
import json
from urllib.parse import urlencode

import pytest

MORE_THAN_A_PAGE = 100


def all_of(ask, path, name, parameters):
    """Return all items of a list of the API."""
    found, cursor = [], "start" if name == "events" else None
    while True:
        page = ask(f"{path}?{urlencode([*parameters, *([('cursor', cursor)] if cursor else [])])}")
        found += page[name]
        if (cursor := page["next"]) is None:
            return found


def save(opened, address, form):
    """Press a button for a download, and return the lines of the file: objects of NDJSON, or dictionaries of texts."""
    page = opened.open(address)
    with page.expect_download() as download:
        page.get_by_role("button", name=form, exact=True).click()
    assert (
        download.value.suggested_filename
        == f"{address[1:].partition('?')[0].replace('ledger', 'events')}.{form.lower()}"
    )
    with download.value.path().open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file)) if form == "CSV" else [json.loads(line) for line in file]


def as_text(value):
    return "" if value is None else str(value)


RUNS = {
    "by-start": ({}, {}),
    "by-duration": (
        {"state": "FAILED,ABORTED", "sort": "duration", "order": "asc"},
        {"state": ["FAILED", "ABORTED"], "sort": "duration", "order": "asc"},
    ),
    "by-end": ({"namespace": "ingest", "sort": "end"}, {"namespace": "ingest", "sort": "end"}),
    "longer": ({"longer": "5m", "namespace": "airflow-prod"}, {"minDurationMs": 300_000, "namespace": "airflow-prod"}),
    "none": ({"namespace": "nowhere"}, {"namespace": "nowhere"}),
}


@pytest.mark.parametrize("form", ["NDJSON", "CSV"])
@pytest.mark.parametrize("name", RUNS)
def test_the_runs_of_a_download_are_those_of_the_api(opened, ask, name, form):
    shown, asked = RUNS[name]
    parameters = {"sort": "start", "limit": 1000} | asked
    pairs = [(key, one) for key, value in parameters.items() for one in (value if isinstance(value, list) else [value])]
    expected = all_of(ask, "/runs", "runs", pairs)
    assert (len(expected) == 0) == (name == "none")
    if name == "by-start":
        assert len(expected) > MORE_THAN_A_PAGE
    saved = save(opened, f"/runs?{urlencode(shown)}", form)
    if form == "NDJSON":
        assert saved == expected
        return
    assert [run["id"] for run in saved] == [run["id"] for run in expected]
    for run, record in zip(expected, saved, strict=True):
        for column in ("state", "startedAt", "endedAt", "durationMs"):
            assert record[column] == as_text(run[column])
        assert (record["namespace"], record["job"]) == (run["job"]["namespace"], run["job"]["name"])


EVENTS = {
    "all": {},
    "failed": {"state": "FAILED", "namespace": "airflow-prod"},
    "kind": {"kind": "transition", "source": "openlineage", "job": "sales_daily"},
    "none": {"actor": "nobody"},
}


@pytest.mark.parametrize("form", ["NDJSON", "CSV"])
@pytest.mark.parametrize("name", EVENTS)
def test_the_events_of_a_download_are_those_of_the_api_oldest_first(opened, ask, name, form):
    expected = all_of(ask, "/events", "events", [*EVENTS[name].items(), ("limit", 1000)])
    assert (len(expected) == 0) == (name == "none")
    saved = save(opened, f"/ledger?{urlencode(EVENTS[name])}", form)
    if form == "NDJSON":
        assert saved == expected
        return
    assert [int(record["position"]) for record in saved] == [event["position"] for event in expected]
    for event, record in zip(expected, saved, strict=True):
        for column in ("id", "kind", "state", "namespace", "job", "source", "hash", "payloadDigest"):
            assert record[column] == as_text(event[column])
        assert (json.loads(record["payload"]) if record["payload"] else None) == event["payload"]

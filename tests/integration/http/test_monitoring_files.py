"""The alerts and the dashboard in deploy/ ask only for what a running service serves, and each alert is tested."""

import json
import re
from uuid import uuid4

import promql_parser as promql
import pytest
import yaml
from building import fact
from programs import REPOSITORY
from scraping import scrape

DEPLOY = REPOSITORY / "deploy"
RULES, RULE_TESTS = DEPLOY / "prometheus/runfold.rules.yml", DEPLOY / "prometheus/runfold.rules.test.yml"
DASHBOARD = DEPLOY / "grafana/runfold.json"

OF_THE_TARGET = {"job", "instance", "namespace"}
"""Labels that Prometheus adds when it scrapes."""

OF_PROMETHEUS = {"up"}
FAILURES = {"status"}
"""Labels whose values in queries need not occur here: a service that works answers no 5xx."""


def read_yaml(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def alerts():
    return [rule for group in read_yaml(RULES)["groups"] for rule in group["rules"]]


def panels():
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]


def queries():
    """Return every query of the rules and the dashboard, with a value in place of each of Grafana's variables."""
    found = {rule["alert"]: rule["expr"] for rule in alerts()}
    for panel in panels():
        for target in panel.get("targets", ()):
            query = target["expr"].replace("$__rate_interval", "1m").replace("$job", ".*").replace("$instance", ".*")
            found[f"{panel['title']} {target['refId']}"] = query
    return found


def nodes(expression, kind):
    found = []
    promql.walk(expression, lambda node: found.append(node) if isinstance(node, kind) else None)
    return found


def served_by(selector, served):
    """Return the labels of the series that a selector selects."""
    return [
        labels | dict.fromkeys(OF_THE_TARGET, "runfold")
        for name, labels in served
        if name == selector.name
        and all(
            matches(matcher, labels)
            for matcher in selector.matchers.matchers
            if matcher.name not in OF_THE_TARGET | FAILURES
        )
    ]


def matches(matcher, labels):
    assert matcher.name in labels, f"{matcher.name} is no label: {labels}"
    value, kind = labels[matcher.name], str(matcher.op)
    if kind.endswith(("Re", "NotRe")):
        return bool(re.fullmatch(matcher.value, value)) != kind.endswith("NotRe")
    return (value == matcher.value) != kind.endswith("NotEqual")


def check(query, served):
    """Assert that the selectors of a query find series, and that these have the labels by which it groups."""
    expression = promql.parse(query)
    selectors = nodes(expression, promql.VectorSelector)
    assert selectors
    for selector in selectors:
        if selector.name not in OF_PROMETHEUS:
            assert served_by(selector, served), f"nothing is served that {selector.prettify()} selects"
    for aggregate in nodes(expression, promql.AggregateExpr):
        by = set(aggregate.modifier.labels) if aggregate.modifier else set()
        for selector in nodes(aggregate, promql.VectorSelector):
            assert all(by <= labels.keys() for labels in served_by(selector, served)), f"{query}: {by}"


@pytest.fixture
async def served(client):
    """The series of a service that has answered requests of each kind."""
    await client.put("/api/v1/namespaces/etl", json={"ownerName": "me"})
    await client.put("/api/v1/namespaces/etl/jobs/load", json={"type": "BATCH", "inputs": [], "outputs": []})
    run = (await (await client.post("/api/v1/namespaces/etl/jobs/load/runs")).json())["id"]
    await client.post(f"/api/v1/jobs/runs/{run}/start")
    event = fact(uuid4(), "RUNNING").payload
    await client.post("/api/v1/lineage", data=event, headers={"Content-Type": "application/json"})
    return [(name, dict(labels)) for name, labels in await scrape(client)]


async def test_every_query_finds_series_with_the_labels_that_it_names(served):
    for place, query in queries().items():
        try:
            check(query, served)
        except (AssertionError, ValueError) as error:
            pytest.fail(f"{place}: {error}")


@pytest.mark.parametrize(
    "query",
    [
        "runfold_queue_size",
        'rate(runfold_http_requests_total{code="200"}[5m])',
        'runfold_runs{state="DONE"}',
        'runfold_http_requests_total{route=~"/api/v2/.*"}',
        "sum by (path) (runfold_http_requests_total)",
    ],
)
async def test_a_query_for_what_is_not_served_is_found(query, served):
    with pytest.raises(AssertionError):
        check(query, served)


def test_each_alert_is_tested_to_fire_and_not_to_fire_and_is_documented():
    names = [rule["alert"] for rule in alerts()]
    cases = [case for test in read_yaml(RULE_TESTS)["tests"] for case in test["alert_rule_test"]]
    assert sorted({case["alertname"] for case in cases if case["exp_alerts"]}) == sorted(names)
    quiet = {
        test["alert_rule_test"][0]["alertname"]
        for test in read_yaml(RULE_TESTS)["tests"]
        if not any(case["exp_alerts"] for case in test["alert_rule_test"])
    }
    assert sorted(quiet) == sorted(names)
    page = (REPOSITORY / "docs/observability.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(Runfold\w+)` \|", page, re.MULTILINE) == names


def test_panels_have_ids_of_their_own_and_the_data_source_that_is_chosen():
    found = panels()
    assert len({panel["id"] for panel in found}) == len(found)
    sources = {json.dumps(panel.get("datasource")) for panel in found if panel["type"] != "row"}
    assert sources == {'{"type": "prometheus", "uid": "${datasource}"}'}

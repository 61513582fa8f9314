"""The tree of a run on its page: a DAG run of hundreds of tasks and their tries, and an unknown parent."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from browsing import post
from playwright.sync_api import expect

TASKS, TRIES = 500, 3


def line(job, run, second, above=None):
    begin = datetime.now(UTC) - timedelta(days=1) + timedelta(seconds=second)
    parent = {"parent": {"run": {"runId": above}, "job": {"namespace": "trees", "name": "dag"}}} if above else {}
    return json.dumps(
        {
            "eventType": "COMPLETE",
            "eventTime": begin.isoformat(),
            "run": {"runId": run, "facets": parent},
            "job": {"namespace": "trees", "name": job},
            "producer": "https://example.com/me",
        }
    )


@pytest.fixture
def requests(opened):
    sent = []
    opened.page.on("request", lambda request: sent.append(request.url))
    return sent


def test_a_dag_run_of_hundreds_of_tasks_and_tries_is_read_in_a_few_requests(opened, url, requests):
    dag = str(uuid4())
    tries = [
        line(f"dag.task {task}", str(uuid4()), 1 + 3 * task + turn, dag)
        for task in range(TASKS)
        for turn in range(TRIES)
    ]
    lines = "\n".join([line("dag", dag, 0), *tries])
    post(f"{url}/api/v1/lineage/batch", lines.encode(), "application/x-ndjson")
    page = opened.open(f"/runs/{dag}")
    tree = page.get_by_role("region", name="Parents and children")
    expect(tree).to_contain_text(f"{TASKS * TRIES + 1:,} runs")
    expect(tree).not_to_contain_text("not shown")
    rows = tree.locator(".gantt-row")
    expect(rows.nth(3)).to_contain_text("task 0 · 3 of 3")
    tree.get_by_label("Runs").evaluate("element => { element.scrollTop = element.scrollHeight; }")
    expect(rows.last).to_contain_text(f"task {TASKS - 1} · 3 of 3")
    assert len([each for each in requests if "/tree" in each]) <= 6  # two pages, and again once the page listens
    assert not [each for each in requests if "/children" in each]


def test_runs_below_a_parent_that_never_reported_are_a_tree(opened, url, requests):
    lost, runs = str(uuid4()), [str(uuid4()) for _ in range(3)]
    lines = "\n".join(line(f"task {number}", run, number, lost) for number, run in enumerate(runs))
    post(f"{url}/api/v1/lineage/batch", lines.encode(), "application/x-ndjson")
    page = opened.open(f"/runs/{runs[1]}")
    tree = page.get_by_role("region", name="Parents and children")
    expect(tree).to_contain_text(f"3 runs, below the run {lost[:8]}, of which nothing is known")
    expect(tree.locator(".gantt-row")).to_have_count(3)
    expect(tree.locator(".gantt-row[aria-current]")).to_contain_text("task 1")
    assert not [each for each in requests if f"/{lost}" in each]

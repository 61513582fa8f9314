"""The events of `runfold demo --history`: how a run reports what happens to it, and when each report is sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from service.cli.commands.history_datasets import Facets, facet
from service.cli.commands.history_jobs import AIRFLOW, DBT, INGEST, SPARK, Failure
from service.maintenance.example_ledger import Example

PRODUCERS = {
    AIRFLOW: "https://github.com/apache/airflow/tree/providers-openlineage/2.7.0",
    DBT: "https://github.com/OpenLineage/OpenLineage/tree/1.54.0/integration/dbt",
    SPARK: "https://github.com/OpenLineage/OpenLineage/tree/1.54.0/integration/spark",
    INGEST: "https://example.com/ingest/3.2",
}
MAX_TRIES = 3

_URL = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_HELD_UP = 0.01
"""The share of reports that are sent some minutes after the event, as by a busy host."""

Datasets = tuple[list[dict[str, Any]], list[dict[str, Any]]]
"""What a run reads and writes."""


class Run(NamedTuple):
    """A run that is about to happen: its job and the facets that all of its events have."""

    id: str
    namespace: str
    job: str
    run_facets: Facets
    job_facets: Facets
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]

    def as_parent(self) -> Facets:
        """Return the facet of runs that this one has started."""
        parent = {"run": {"runId": self.id}, "job": {"namespace": self.namespace, "name": self.job}}
        return {"parent": own_facet("ParentRunFacet", self.namespace, parent)}


class Reporter:
    """Makes events, and keeps them with the times at which they are sent."""

    def __init__(self, now: datetime, random: Random) -> None:
        """Take the present time, after which nothing is sent, and what all chances come from."""
        self.now = now
        self.random = random
        self._sent: list[Example] = []
        self._known: set[str] = set()

    @property
    def sent(self) -> list[Example]:
        """The events that are sent until now, in the order in which they are; each is recorded at once."""
        return sorted(each for each in self._sent if each.recorded_at <= self.now)

    @property
    def runs(self) -> int:
        """The number of runs that something is known of until now."""
        return len(self._known)

    def run(
        self,
        namespace: str,
        job: str,
        parent: Run | None = None,
        *,
        scheduled: datetime | None = None,
        job_facets: Facets | None = None,
        datasets: Datasets = ([], []),
        more: Facets | None = None,
    ) -> Run:
        """Return a new run. `more`: facets of the run."""
        facets = dict(more or {})
        if parent is not None:
            facets |= parent.as_parent()
        if scheduled is not None:
            facets["nominalTime"] = own_facet("NominalTimeRunFacet", namespace, {"nominalStartTime": _text(scheduled)})
        run_id = UUID(int=self.random.getrandbits(128), version=4)
        return Run(str(run_id), namespace, job, facets, job_facets or {}, *datasets)

    def event(
        self, run: Run, kind: str, at: datetime, more: Facets | None = None, *, sent: datetime | None = None
    ) -> None:
        """Report an event. `sent`: when; by default about a second later, now and then some minutes."""
        line = orjson.dumps(
            {
                "eventType": kind,
                "eventTime": _text(at),
                "run": {"runId": run.id, "facets": run.run_facets | (more or {})},
                "job": {"namespace": run.namespace, "name": run.job, "facets": run.job_facets},
                "inputs": _told(run.inputs, kind),
                "outputs": _told(run.outputs, kind),
                "producer": PRODUCERS[run.namespace],
                "schemaURL": _URL,
            }
        )
        recorded_at = sent or at + self._delay()
        self._sent.append(Example(recorded_at, line))
        if recorded_at <= self.now:
            self._known.add(run.id)

    def end(self, run: Run, kind: str, at: datetime) -> None:
        """Report an end: now and then hours late, or after another end that did not happen."""
        chance = self.random.random()
        if chance < 0.003:  # noqa: PLR2004  the host was given up, and the run went on
            self.event(run, "ABORT", at - timedelta(minutes=1))
        late = chance > 0.994  # noqa: PLR2004
        if late:  # a heartbeat overtakes the end
            self.event(run, "RUNNING", at + timedelta(seconds=30))
        self.event(run, kind, at, sent=at + timedelta(hours=self.random.uniform(0.5, 9)) if late else None)

    def fail(self, run: Run, at: datetime, failure: Failure, *, sent: datetime | None = None) -> None:
        """Report a failure with its message and stack trace."""
        content = {
            "message": failure.message.format(job=run.job),
            "programmingLanguage": failure.language,
            "stackTrace": failure.stack_trace.format(job=run.job),
        }
        self.event(
            run, "FAIL", at, {"errorMessage": own_facet("ErrorMessageRunFacet", run.namespace, content)}, sent=sent
        )

    def after(self, at: datetime, seconds: float) -> datetime:
        """Return a time within some seconds of another."""
        return at + timedelta(seconds=self.random.uniform(0.5, seconds))

    def _delay(self) -> timedelta:
        if self.random.random() < _HELD_UP:
            return timedelta(minutes=self.random.uniform(1, 12))
        return timedelta(seconds=min(self.random.lognormvariate(0, 0.7), 20))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def own_facet(name: str, namespace: str, content: dict[str, Any]) -> dict[str, Any]:
    """Return a facet by the producer of a namespace."""
    return facet(name, PRODUCERS[namespace], content)


def _told(datasets: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return what an event tells of datasets: all at a successful end, their names at the start, else nothing."""
    if kind == "COMPLETE":
        return datasets
    return [{"namespace": each["namespace"], "name": each["name"]} for each in datasets] if kind == "START" else []


def job_type(integration: str, kind: str) -> Facets:
    """Return the facet that says what kind of job it is."""
    namespace = {"AIRFLOW": AIRFLOW, "DBT": DBT, "SPARK": SPARK, "INGEST": INGEST}[integration]
    content = {"processingType": "BATCH", "integration": integration, "jobType": kind}
    return {"jobType": own_facet("JobTypeJobFacet", namespace, content)}


def airflow(job: str, attempt: int, tries: int = MAX_TRIES) -> Facets:
    """Return what Airflow reports of a task: `attempt` of `tries`."""
    dag, _, task = job.partition(".")
    content = {
        "dag": {"dag_id": dag, "owner": "data-platform", "tags": "['production']"},
        "task": {"task_id": task, "operator_class": "PythonOperator", "retries": tries - 1},
        "taskInstance": {
            "try_number": attempt,
            "log_url": f"https://airflow.example.com/dags/{dag}/tasks/{task}?tab=logs&try_number={attempt}",
        },
    }
    return {"airflow": own_facet("AirflowRunFacet", AIRFLOW, content)}

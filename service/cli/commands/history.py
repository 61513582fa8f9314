"""A month of runs for `runfold demo --history`, as OpenLineage events in the order in which they are sent.

The events have past times and are recorded now, through the API, like any backfill. Their order is that in which a
scheduler would have sent them: a few are sent hours after they happened, some ends contradict each other, a few runs
start again after their end, and some never report an end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from service.cli.commands.history_datasets import Days, Facets, copied, facet, of_model, of_task
from service.cli.commands.history_jobs import (
    AIRFLOW,
    BAD_LAST_NIGHT,
    DAGS,
    DBT,
    FAILURES,
    INGEST,
    MODELS,
    SOURCES,
    SPARK,
    Dag,
    Failure,
    Model,
)

_URL = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_PRODUCERS = {
    AIRFLOW: "https://github.com/apache/airflow/tree/providers-openlineage/2.7.0",
    DBT: "https://github.com/OpenLineage/OpenLineage/tree/1.54.0/integration/dbt",
    SPARK: "https://github.com/OpenLineage/OpenLineage/tree/1.54.0/integration/spark",
    INGEST: "https://example.com/ingest/3.2",
}
_MAX_TRIES = 3

_MODELS = {model.name: model for model in MODELS}


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
        return {"parent": _facet("ParentRunFacet", self.namespace, parent)}


class _Sent(NamedTuple):
    at: datetime
    """When the event is sent; it may have happened hours before."""
    line: bytes


class History:
    """Makes the events. The same `now` and seed make the same ones."""

    def __init__(self, now: datetime, days: int, seed: int) -> None:
        """Take the present time, in UTC, the days before it, and a seed."""
        self._now = now.replace(second=0, microsecond=0)
        self._days = days
        self._random = Random(f"{seed} {self._now.isoformat()}")  # noqa: S311  nothing secret
        self._sent: list[_Sent] = []
        self._pace = {job: self._random.uniform(0.4, 2.2) for job in self._jobs()}
        self._bad_days = {(job, self._random.randrange(days)) for job in self._pace if self._random.random() < 0.3}  # noqa: PLR2004
        self._bad_days |= {(job, day) for job in BAD_LAST_NIGHT for day in (days - 1, days)}
        self.runs = 0

    @staticmethod
    def _jobs() -> list[str]:
        tasks = [f"{dag.name}.{task}" for dag in DAGS for task in dag.tasks]
        return [*tasks, *SOURCES, *(model.name for model in MODELS)]

    def lines(self) -> list[bytes]:
        """Return the events as lines of NDJSON, in the order in which they are sent."""
        first = (self._now - timedelta(days=self._days)).replace(hour=0, minute=0)
        for day in range(self._days + 1):
            midnight = first + timedelta(days=day)
            for dag in DAGS:
                for hour in range(dag.hour, 24, dag.every_h):
                    self._dag_run(dag, midnight + timedelta(hours=hour), day)
            for part in (0, 12):
                for number, source in enumerate(SOURCES):
                    if (number + part) % 2 == 0:
                        self._ingest(source, midnight + timedelta(hours=part, minutes=number), day)
            self._dbt_run(midnight + timedelta(hours=6), day)
        self._under_way()
        return [sent.line for sent in sorted(self._sent, key=lambda sent: sent.at)]

    # --- what happens

    def _dag_run(self, dag: Dag, scheduled: datetime, day: int) -> None:
        begin = self._after(scheduled, 5)
        if begin >= self._now:
            return
        dag_run = self._run(AIRFLOW, dag.name, scheduled=scheduled, job_facets=_job_type("AIRFLOW", "DAG"))
        self._event(dag_run, "START", begin)
        at, failed = begin, False
        for index in range(len(dag.tasks)):
            for attempt in range(1, _MAX_TRIES + 1):
                end, failed = self._task(dag_run, dag, index, attempt, self._after(at, 4), day)
                if end is None:
                    return
                at = end + timedelta(minutes=5 if failed else 0)
                if not failed:
                    break
            if failed:
                break
        self._end(dag_run, "FAIL" if failed else "COMPLETE", self._after(at, 3))

    def _task(
        self, dag_run: Run, dag: Dag, index: int, attempt: int, begin: datetime, day: int
    ) -> tuple[datetime | None, bool]:
        """Let a try of a task happen; return its end, or None if it is under way, and whether it failed."""
        job = f"{dag.name}.{dag.tasks[index]}"
        task = self._run(
            AIRFLOW,
            job,
            dag_run,
            scheduled=begin,
            job_facets=_job_type("AIRFLOW", "TASK"),
            datasets=of_task(dag.name, dag.tasks, index, _PRODUCERS[AIRFLOW], self._random, detail=False),
            more=_airflow(job, attempt),
        )
        length = self._length(job, minutes=9)
        worse = 0.45 if (job, day) in self._bad_days else 0.012
        failing = self._random.random() < worse
        if begin + length >= self._now:
            if begin < self._now:
                self._event(task, "START", begin)
            return None, False
        self._event(task, "START", begin)
        if "spark" in job:
            self._spark(task, dag, index, begin, length, failing=failing)
        if failing:
            failure = FAILURES[1] if "spark" in job else self._random.choice((FAILURES[0], FAILURES[2], FAILURES[4]))
            self._fail(task, begin + length * 0.7, failure)
            return begin + length * 0.7, True
        self._end(task, "COMPLETE", begin + length)
        return begin + length, False

    def _spark(self, task: Run, dag: Dag, index: int, begin: datetime, length: timedelta, *, failing: bool) -> None:
        name = f"{dag.name}_{dag.tasks[index]}"
        datasets = of_task(dag.name, dag.tasks, index, _PRODUCERS[SPARK], self._random, detail=True)
        app = self._run(SPARK, name, task, job_facets=_job_type("SPARK", "APPLICATION"), datasets=datasets)
        self._event(app, "START", begin + length * 0.05)
        for part in range(1, 5):
            self._event(app, "RUNNING", begin + length * (0.05 + part * 0.15))
        if failing:
            self._fail(app, begin + length * 0.66, FAILURES[1])
            # Spark reports a failed write as failed, and the application that ends after it as complete.
            self._event(app, "COMPLETE", begin + length * 0.68)
        else:
            self._event(app, "COMPLETE", begin + length * 0.92)

    def _ingest(self, source: str, at: datetime, day: int) -> None:
        begin, length = self._after(at, 20), self._length(source, minutes=4)
        datasets = copied(source, _PRODUCERS[INGEST], Days(day, self._days), self._random.randrange(4_000, 90_000))
        run = self._run(INGEST, source, scheduled=at, job_facets=_job_type("INGEST", "COPY"), datasets=datasets)
        if begin >= self._now:
            return
        self._event(run, "START", begin)
        if begin + length >= self._now or self._random.random() < 0.0015:  # noqa: PLR2004  some never report an end
            return
        if self._random.random() < (0.5 if (source, day) in self._bad_days else 0.008):
            self._fail(run, begin + length, FAILURES[2])
            return
        self._end(run, "COMPLETE", begin + length)
        if self._random.random() < 0.002:  # noqa: PLR2004  a worker takes it up again
            self._event(run, "START", begin + length + timedelta(minutes=3))

    def _dbt_run(self, at: datetime, day: int) -> None:
        begin = self._after(at, 8)
        if begin >= self._now:
            return
        build = self._run(DBT, "dbt build warehouse", scheduled=at, job_facets=_job_type("DBT", "JOB"))
        self._event(build, "START", begin)
        when, failed = begin, False
        for model in MODELS:
            run = self._model(model, build, day)
            length = self._length(model.name, minutes=1.2)
            if when + length >= self._now:
                self._event(run, "START", min(when, self._now))
                return
            self._event(run, "START", when)
            when += length
            if self._random.random() < (0.3 if (model.name, day) in self._bad_days else 0.004):
                self._fail(run, when, FAILURES[3])
                failed = True
            else:
                self._end(run, "COMPLETE", when)
        self._end(build, "FAIL" if failed else "COMPLETE", when + timedelta(seconds=4))

    def _model(self, model: Model, build: Run, day: int) -> Run:
        datasets = of_model(model, _MODELS, _PRODUCERS[DBT], Days(day, self._days))
        sql = {"sql": _facet("SQLJobFacet", DBT, {"query": model.sql, "dialect": "postgres"})}
        return self._run(DBT, model.name, build, job_facets=_job_type("DBT", "MODEL") | sql, datasets=datasets)

    def _under_way(self) -> None:
        """Let some runs be under way now: most as usual, some for much longer, some without a word for days."""
        for number, topic in enumerate(SOURCES[:: len(SOURCES) // 9]):
            job = f"stream.{topic}"
            begin = self._now - timedelta(minutes=7 + number * 11)
            run = self._run(INGEST, job, scheduled=begin, job_facets=_job_type("INGEST", "COPY"))
            self._event(run, "START", begin)
            if number % 3 == 0:
                self._event(run, "RUNNING", self._now - timedelta(minutes=2))
        for days in (2, 3, 5):
            begin = self._now - timedelta(days=days, hours=3)
            run = self._run(SPARK, f"backfill_{days}_days", job_facets=_job_type("SPARK", "APPLICATION"))
            self._event(run, "START", begin)
            self._event(run, "RUNNING", begin + timedelta(minutes=40))

    # --- events

    def _run(
        self,
        namespace: str,
        job: str,
        parent: Run | None = None,
        *,
        scheduled: datetime | None = None,
        job_facets: Facets | None = None,
        datasets: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], []),
        more: Facets | None = None,
    ) -> Run:
        self.runs += 1
        facets = dict(more or {})
        if parent is not None:
            facets |= parent.as_parent()
        if scheduled is not None:
            nominal = {"nominalStartTime": _text(scheduled)}
            facets["nominalTime"] = _facet("NominalTimeRunFacet", namespace, nominal)
        run_id = UUID(int=self._random.getrandbits(128), version=4)
        return Run(str(run_id), namespace, job, facets, job_facets or {}, *datasets)

    def _event(
        self, run: Run, kind: str, at: datetime, more: Facets | None = None, delay: timedelta | None = None
    ) -> None:
        line = orjson.dumps(
            {
                "eventType": kind,
                "eventTime": _text(at),
                "run": {"runId": run.id, "facets": run.run_facets | (more or {})},
                "job": {"namespace": run.namespace, "name": run.job, "facets": run.job_facets},
                "inputs": _told(run.inputs, kind),
                "outputs": _told(run.outputs, kind),
                "producer": _PRODUCERS[run.namespace],
                "schemaURL": _URL,
            }
        )
        self._sent.append(_Sent(at + (delay or timedelta()), line))

    def _end(self, run: Run, kind: str, at: datetime) -> None:
        """Report an end: now and then hours late, twice, or after another end that did not happen."""
        chance = self._random.random()
        if chance < 0.006:  # noqa: PLR2004  the host was given up, and the run went on
            self._event(run, "ABORT", at - timedelta(minutes=1))
        late = timedelta(hours=self._random.uniform(2, 20)) if chance > 0.985 else None  # noqa: PLR2004
        if late is not None:  # a heartbeat overtakes the end
            self._event(run, "RUNNING", at + timedelta(seconds=30))
        self._event(run, kind, at, delay=late)

    def _fail(self, run: Run, at: datetime, failure: Failure) -> None:
        content = {
            "message": failure.message.format(job=run.job),
            "programmingLanguage": failure.language,
            "stackTrace": failure.stack_trace.format(job=run.job),
        }
        self._event(run, "FAIL", at, {"errorMessage": _facet("ErrorMessageRunFacet", run.namespace, content)})

    def _after(self, at: datetime, seconds: float) -> datetime:
        return at + timedelta(seconds=self._random.uniform(0.5, seconds))

    def _length(self, job: str, minutes: float) -> timedelta:
        slow = 3 if self._random.random() < 0.02 else 1  # noqa: PLR2004
        return timedelta(minutes=minutes * self._pace[job] * self._random.lognormvariate(0, 0.22) * slow)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _facet(name: str, namespace: str, content: dict[str, Any]) -> dict[str, Any]:
    return facet(name, _PRODUCERS[namespace], content)


def _told(datasets: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return what an event tells of datasets: all at a successful end, their names at the start, else nothing."""
    if kind == "COMPLETE":
        return datasets
    return [{"namespace": each["namespace"], "name": each["name"]} for each in datasets] if kind == "START" else []


def _job_type(integration: str, kind: str) -> Facets:
    namespace = {"AIRFLOW": AIRFLOW, "DBT": DBT, "SPARK": SPARK, "INGEST": INGEST}[integration]
    content = {"processingType": "BATCH", "integration": integration, "jobType": kind}
    return {"jobType": _facet("JobTypeJobFacet", namespace, content)}


def _airflow(job: str, attempt: int) -> Facets:
    dag, _, task = job.partition(".")
    content = {
        "dag": {"dag_id": dag, "owner": "data-platform", "tags": "['production']"},
        "task": {"task_id": task, "operator_class": "PythonOperator", "retries": _MAX_TRIES - 1},
        "taskInstance": {
            "try_number": attempt,
            "log_url": f"https://airflow.example.com/dags/{dag}/tasks/{task}?tab=logs&try_number={attempt}",
        },
    }
    return {"airflow": _facet("AirflowRunFacet", AIRFLOW, content)}


def batches(lines: list[bytes], size: int) -> Iterator[bytes]:
    """Yield bodies of NDJSON with at most `size` events."""
    for first in range(0, len(lines), size):
        yield b"\n".join(lines[first : first + size]) + b"\n"

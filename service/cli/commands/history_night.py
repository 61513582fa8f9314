"""Last night in `runfold demo --history`: what an operator is called for, in the same way whatever the seed is.

Times are those of the machine's zone. At 02:16 the Spark task of `sales_daily` starts; at 02:41 it runs out of memory,
and its DAG fails. The host that reports both has lost its network at 02:35, and sends what it has kept at 05:12: until
then, at three o'clock too, they are known as running. In the same night the end of one copy is contradicted, and
another one is started again after its end.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from service.cli.commands.history_datasets import of_task
from service.cli.commands.history_events import PRODUCERS, Reporter, Run, airflow, job_type
from service.cli.commands.history_jobs import AIRFLOW, FAILURES, SPARK, Dag

SALES = "sales_daily"
CONTRADICTED, RESTARTED = "crm.payments", "pos.orders"
"""Copies: the supervisor gives one up that goes on and completes, a worker takes the other up again after its end."""

_OVER = timedelta(hours=5, minutes=30)
"""The time of the day at which all of the night is known."""

_OUT_OF_MEMORY = FAILURES[1]


def midnight_of(now: datetime) -> datetime:
    """Return the midnight before the last night of which all is known."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return today if now - today >= _OVER else today - timedelta(days=1)


class Night:
    """What happens in the night after a midnight."""

    def __init__(self, reporter: Reporter, midnight: datetime) -> None:
        """Take what makes the events, and the midnight."""
        self._reporter = reporter
        self._midnight = midnight

    def _at(self, hour: int, minute: int, second: float = 0) -> datetime:
        return self._midnight + timedelta(hours=hour, minutes=minute, seconds=second)

    def sales(self, dag: Dag) -> None:
        """Let the DAG run and fail; the failures are sent hours later."""
        report = self._reporter
        scheduled = self._at(2, 0)
        dag_run = report.run(AIRFLOW, dag.name, scheduled=scheduled, job_facets=job_type("AIRFLOW", "DAG"))
        report.event(dag_run, "START", self._at(2, 0, 3))
        for index, (begin, end) in enumerate(
            ((self._at(2, 0, 6), self._at(2, 3, 10)), (self._at(2, 3, 14), self._at(2, 16, 12)))
        ):
            task = self._task(dag_run, dag, index)
            report.event(task, "START", begin)
            report.event(task, "COMPLETE", end)
        task = self._task(dag_run, dag, 2)
        report.event(task, "START", self._at(2, 16, 20))
        datasets = of_task(dag.name, dag.tasks, 2, PRODUCERS[SPARK], report.random, detail=True)
        name = f"{dag.name}_{dag.tasks[2]}"
        app = report.run(SPARK, name, task, job_facets=job_type("SPARK", "APPLICATION"), datasets=datasets)
        report.event(app, "START", self._at(2, 16, 41))
        for minute in (21, 26, 31):
            report.event(app, "RUNNING", self._at(2, minute, 41))
        sent = self._at(5, 12, 9)
        report.fail(app, self._at(2, 41, 5), _OUT_OF_MEMORY, sent=sent)
        report.fail(task, self._at(2, 41, 12), _OUT_OF_MEMORY, sent=sent + timedelta(seconds=1))
        report.event(dag_run, "FAIL", self._at(2, 41, 31), sent=sent + timedelta(seconds=2))

    def _task(self, dag_run: Run, dag: Dag, index: int) -> Run:
        job = f"{dag.name}.{dag.tasks[index]}"
        return self._reporter.run(
            AIRFLOW,
            job,
            dag_run,
            job_facets=job_type("AIRFLOW", "TASK"),
            datasets=of_task(dag.name, dag.tasks, index, PRODUCERS[AIRFLOW], self._reporter.random, detail=False),
            more=airflow(job, 1, tries=1),
        )

    def copy(self, run: Run, begin: datetime) -> None:
        """Let one of the copies CONTRADICTED and RESTARTED run."""
        end = begin + timedelta(minutes=9)
        self._reporter.event(run, "START", begin)
        if run.job == CONTRADICTED:
            self._reporter.event(run, "ABORT", end - timedelta(minutes=2))
            self._reporter.event(run, "COMPLETE", end)
        else:
            self._reporter.event(run, "COMPLETE", end)
            self._reporter.event(run, "START", end + timedelta(minutes=3))

"""A month of runs for `runfold demo --history`, as OpenLineage events in the order in which they are sent.

Most are sent a second after they happened, a few minutes later, a few hours. Some ends contradict each other, a few
runs start again after their end, and some never report an end. The last night is told in history_night.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from service.cli.commands.history_datasets import Days, copied, of_model, of_task
from service.cli.commands.history_events import (
    MAX_TRIES,
    PRODUCERS,
    Reporter,
    Run,
    airflow,
    job_type,
    own_facet,
)
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
    STREAMS,
    Dag,
    Model,
)
from service.cli.commands.history_night import CONTRADICTED, RESTARTED, SALES, Night, midnight_of
from service.maintenance.example_ledger import Example

_MODELS = {model.name: model for model in MODELS}
_STREAM_EVERY_H = 3
_STREAM_MINUTES = 60
_PROGRESS = timedelta(minutes=15)


class History:
    """Makes the events. The same `now` and seed make the same ones."""

    def __init__(self, now: datetime, days: int, seed: int) -> None:
        """Take the present time, in the zone whose nights are told of, the days before it, and a seed."""
        self._now = now.replace(second=0, microsecond=0)
        self.days = days
        self._random = Random(f"{seed} {self._now.isoformat()}")  # noqa: S311  nothing secret
        self._reporter = Reporter(self._now, self._random)
        self._midnight = midnight_of(self._now)
        self._night = Night(self._reporter, self._midnight)
        self._pace = {job: self._random.uniform(0.4, 2.2) for job in self._jobs()}
        self._bad_days = {(job, self._random.randrange(days)) for job in self._pace if self._random.random() < 0.3}  # noqa: PLR2004
        self._bad_days |= {(job, day) for job in BAD_LAST_NIGHT for day in (days - 1, days)}

    @staticmethod
    def _jobs() -> list[str]:
        tasks = [f"{dag.name}.{task}" for dag in DAGS for task in dag.tasks]
        return [*tasks, *SOURCES, *STREAMS, *(model.name for model in MODELS)]

    @property
    def runs(self) -> int:
        """The number of runs that have happened."""
        return self._reporter.runs

    def lines(self) -> list[bytes]:
        """Return the events as lines of NDJSON, in the order in which they are sent."""
        return [sent.line for sent in self.sent()]

    def sent(self) -> list[Example]:
        """Let everything happen, and return the events with the times at which they are sent, in their order."""
        first = (self._now - timedelta(days=self.days)).replace(hour=0, minute=0)
        for day in range(self.days + 1):
            midnight = first + timedelta(days=day)
            for dag in DAGS:
                if dag.name == SALES and midnight == self._midnight:
                    self._night.sales(dag)
                    continue
                for hour in range(dag.hour, 24, dag.every_h):
                    self._dag_run(dag, midnight + timedelta(hours=hour), day)
            for part in (0, 12):
                for number, source in enumerate(SOURCES):
                    if (number + part) % 2 == 0:
                        self._ingest(source, midnight + timedelta(hours=part, minutes=number), day)
            for number, stream in enumerate(STREAMS):
                for hour in range(number % _STREAM_EVERY_H, 24, _STREAM_EVERY_H):
                    self._stream(stream, midnight + timedelta(hours=hour, minutes=number * 5))
            self._dbt_run(midnight + timedelta(hours=6), day)
        self._under_way()
        return self._reporter.sent

    # --- what happens

    def _dag_run(self, dag: Dag, scheduled: datetime, day: int) -> None:
        begin = self._reporter.after(scheduled, 5)
        if begin >= self._now:
            return
        dag_run = self._reporter.run(AIRFLOW, dag.name, scheduled=scheduled, job_facets=job_type("AIRFLOW", "DAG"))
        self._reporter.event(dag_run, "START", begin)
        at, failed = begin, False
        for index in range(len(dag.tasks)):
            for attempt in range(1, MAX_TRIES + 1):
                end, failed = self._task(dag_run, dag, index, attempt, self._reporter.after(at, 4), day)
                if end is None:
                    return
                at = end + timedelta(minutes=5 if failed else 0)
                if not failed:
                    break
            if failed:
                break
        self._reporter.end(dag_run, "FAIL" if failed else "COMPLETE", self._reporter.after(at, 3))

    def _task(
        self, dag_run: Run, dag: Dag, index: int, attempt: int, begin: datetime, day: int
    ) -> tuple[datetime | None, bool]:
        """Let a try of a task happen; return its end, or None if it is under way, and whether it failed."""
        job = f"{dag.name}.{dag.tasks[index]}"
        task = self._reporter.run(
            AIRFLOW,
            job,
            dag_run,
            scheduled=begin,
            job_facets=job_type("AIRFLOW", "TASK"),
            datasets=of_task(dag.name, dag.tasks, index, PRODUCERS[AIRFLOW], self._random, detail=False),
            more=airflow(job, attempt),
        )
        length = self._length(job, minutes=9)
        worse = 0.3 if (job, day) in self._bad_days else 0.012
        failing = self._random.random() < worse
        if begin + length >= self._now:
            if begin < self._now:
                self._reporter.event(task, "START", begin)
            return None, False
        self._reporter.event(task, "START", begin)
        if "spark" in job:
            self._spark(task, dag, index, begin, length, failing=failing)
        if failing:
            failure = FAILURES[1] if "spark" in job else self._random.choice((FAILURES[0], FAILURES[2], FAILURES[4]))
            self._reporter.fail(task, begin + length * 0.7, failure)
            return begin + length * 0.7, True
        self._reporter.end(task, "COMPLETE", begin + length)
        return begin + length, False

    def _spark(self, task: Run, dag: Dag, index: int, begin: datetime, length: timedelta, *, failing: bool) -> None:
        name = f"{dag.name}_{dag.tasks[index]}"
        datasets = of_task(dag.name, dag.tasks, index, PRODUCERS[SPARK], self._random, detail=True)
        app = self._reporter.run(SPARK, name, task, job_facets=job_type("SPARK", "APPLICATION"), datasets=datasets)
        self._reporter.event(app, "START", begin + length * 0.05)
        for part in range(1, 5):
            self._reporter.event(app, "RUNNING", begin + length * (0.05 + part * 0.15))
        if failing:
            self._reporter.fail(app, begin + length * 0.66, FAILURES[1])
            # Spark reports a failed write as failed, and the application that ends after it as complete.
            self._reporter.event(app, "COMPLETE", begin + length * 0.68)
        else:
            self._reporter.event(app, "COMPLETE", begin + length * 0.92)

    def _ingest(self, source: str, at: datetime, day: int) -> None:
        begin, length = self._reporter.after(at, 20), self._length(source, minutes=4)
        datasets = copied(source, PRODUCERS[INGEST], Days(day, self.days), self._random.randrange(4_000, 90_000))
        run = self._reporter.run(INGEST, source, scheduled=at, job_facets=job_type("INGEST", "COPY"), datasets=datasets)
        if begin >= self._now:
            return
        if source in {CONTRADICTED, RESTARTED} and timedelta() <= at - self._midnight < timedelta(hours=12):
            self._night.copy(run, begin)
            return
        self._reporter.event(run, "START", begin)
        if begin + length >= self._now or self._random.random() < 0.0006:  # noqa: PLR2004  some never report an end
            return
        if self._random.random() < (0.4 if (source, day) in self._bad_days else 0.008):
            self._reporter.fail(run, begin + length, FAILURES[2])
            return
        self._reporter.end(run, "COMPLETE", begin + length)
        if self._random.random() < 0.002:  # noqa: PLR2004  a worker takes it up again
            self._reporter.event(run, "START", begin + length + timedelta(minutes=3))

    def _dbt_run(self, at: datetime, day: int) -> None:
        begin = self._reporter.after(at, 8)
        if begin >= self._now:
            return
        build = self._reporter.run(DBT, "dbt build warehouse", scheduled=at, job_facets=job_type("DBT", "JOB"))
        self._reporter.event(build, "START", begin)
        when, failed = begin, False
        for model in MODELS:
            run = self._model(model, build, day)
            length = self._length(model.name, minutes=1.2)
            if when + length >= self._now:
                self._reporter.event(run, "START", min(when, self._now))
                return
            self._reporter.event(run, "START", when)
            when += length
            if self._random.random() < (0.3 if (model.name, day) in self._bad_days else 0.004):
                self._reporter.fail(run, when, FAILURES[3])
                failed = True
            else:
                self._reporter.end(run, "COMPLETE", when)
        self._reporter.end(build, "FAIL" if failed else "COMPLETE", when + timedelta(seconds=4))

    def _model(self, model: Model, build: Run, day: int) -> Run:
        datasets = of_model(model, _MODELS, PRODUCERS[DBT], Days(day, self.days))
        sql = {"sql": own_facet("SQLJobFacet", DBT, {"query": model.sql, "dialect": "postgres"})}
        return self._reporter.run(DBT, model.name, build, job_facets=job_type("DBT", "MODEL") | sql, datasets=datasets)

    def _stream(self, job: str, at: datetime) -> None:
        """Copy changes for about an hour, and report from time to time how many rows are copied."""
        self._copy_changes(job, at, self._length(job, minutes=_STREAM_MINUTES))

    def _copy_changes(self, job: str, at: datetime, length: timedelta) -> None:
        begin, total = self._reporter.after(at, 20), self._random.randrange(200_000, 900_000)
        if begin >= self._now:
            return
        run = self._reporter.run(INGEST, job, scheduled=at, job_facets=job_type("INGEST", "COPY"))
        self._reporter.event(run, "START", begin)
        when = begin + _PROGRESS
        while when < min(self._now, begin + length):
            progress = {"rowsCopied": int(total * ((when - begin) / length)), "rowsExpected": total}
            self._reporter.event(run, "RUNNING", when, {"ingest_progress": own_facet("Progress", INGEST, progress)})
            when += _PROGRESS
        if begin + length < self._now:
            self._reporter.end(run, "COMPLETE", begin + length)

    def _under_way(self) -> None:
        """Let a run be under way for much longer than usual, and some be without a word for days."""
        self._copy_changes(STREAMS[0], self._now - timedelta(hours=4, minutes=25), timedelta(hours=6))
        for days in (2, 3, 5):
            begin = self._now - timedelta(days=days, hours=3)
            job_facets = job_type("SPARK", "APPLICATION")
            run = self._reporter.run(SPARK, f"backfill_{days}_days", job_facets=job_facets)
            self._reporter.event(run, "START", begin)
            self._reporter.event(run, "RUNNING", begin + timedelta(minutes=40))

    def _length(self, job: str, minutes: float) -> timedelta:
        slow = 3 if self._random.random() < 0.02 else 1  # noqa: PLR2004
        return timedelta(minutes=minutes * self._pace[job] * self._random.lognormvariate(0, 0.22) * slow)


def batches(lines: list[bytes], size: int) -> Iterator[bytes]:
    """Yield bodies of NDJSON with at most `size` events."""
    for first in range(0, len(lines), size):
        yield b"\n".join(lines[first : first + size]) + b"\n"

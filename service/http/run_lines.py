"""Runs as records of CSV."""

from __future__ import annotations

import csv
import io
from datetime import datetime

from service.catalog.run_search import FoundRun
from service.http import views
from service.payloads.json_writer import dump

_COLUMNS = (
    "id",
    "namespace",
    "job",
    "state",
    "startedAt",
    "endedAt",
    "durationMs",
    "createdAt",
    "updatedAt",
    "nominalStartTime",
    "nominalEndTime",
    "contradicted",
    "restarted",
    "inferred",
)

CSV_HEADER = (",".join(_COLUMNS) + "\n").encode()


def run_as_csv(run: FoundRun) -> bytes:
    """Return a run as a record of CSV (RFC 4180; a line ends in a line feed), in the columns of CSV_HEADER."""
    view = views.run_view(str(run.id), run.registers)
    job = view["job"] or {}
    times = {name: _text(view[name]) for name in _COLUMNS if name.endswith(("At", "Time"))}
    marks = {"contradicted": "ends" in view, "restarted": "restartedAt" in view, "inferred": "stateReason" in view}
    values = {
        **view,
        **times,
        "namespace": job.get("namespace"),
        "job": job.get("name"),
        **{name: "true" if value else "false" for name, value in marks.items()},
    }
    record = io.StringIO()
    csv.writer(record, lineterminator="\n").writerow([values[name] for name in _COLUMNS])
    return record.getvalue().encode("utf-8", "replace")


def _text(at: datetime | None) -> str | None:
    return None if at is None else dump(at).decode().strip('"')

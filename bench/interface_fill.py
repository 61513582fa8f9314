"""Fills the ledger of bench/interface.py: many runs that ended long ago, a month of the demo, and a long run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bench import lives
from bench.database import new_id
from bench.ledger_stage import DERIVED_S
from bench.millions import PIECE, load_into
from bench.stage import JOB, JOB_BODY, NAMESPACE, NAMESPACE_BODY
from service.cli.commands.history import History, batches

if TYPE_CHECKING:
    from pathlib import Path

    import aiohttp

    from bench.ledger_stage import LedgerStage

EVENTS = 10_000
"""Events of the long run, the most that its page shows."""

_DAYS, _LINES = 30, 5_000
_NDJSON = {"Content-Type": "application/x-ndjson"}
_COUNTS = """
select (select count(*) from runfold.runs) as runs, (select position from runfold.ledger_head where log = 0) as events,
       (select count(*) from runfold.jobs) as jobs
"""


@dataclass(frozen=True)
class Filled:
    """What is in the ledger; `long_run`: the id of the run of EVENTS events."""

    runs: int
    jobs: int
    events: int
    long_run: str


def load_runs(data_dir: Path, runs: int) -> None:
    """Write about `runs` runs that ended long ago, as bench/millions.py does. Must be called in the main thread."""
    begun = {event.stream for event in lives.events(1, PIECE) if event.subject == "run"}
    load_into(data_dir, runs * PIECE // len(begun))


def known(data_dir: Path) -> Filled | None:
    """Return what a directory was filled with before; None: nothing."""
    note = _note(data_dir)
    return Filled(**json.loads(note.read_text())) if note.is_file() else None


def _note(data_dir: Path) -> Path:
    return data_dir.with_name(f"{data_dir.name}.filled.json")


async def fill(stage: LedgerStage) -> Filled:
    """Report the month of the demo and the long run, wait until all of it is projected, and note what is there."""
    for path, body in ((NAMESPACE, NAMESPACE_BODY), (JOB, JOB_BODY)):
        async with stage.http.put(path, json=body) as answer:
            answer.raise_for_status()
    for lines in batches(History(datetime.now(UTC), _DAYS, 1).lines(), _LINES):
        await _report(stage.http, lines)
    long_run = str(new_id())
    await _report(stage.http, _long_run(long_run))
    await stage.database.caught_up(DERIVED_S)
    await stage.database.lineage_caught_up(DERIVED_S)
    await stage.database.connection.execute("vacuum (analyze)")
    filled = Filled(**dict(await stage.database.connection.fetchrow(_COUNTS)), long_run=long_run)
    _note(stage.data_dir).write_text(json.dumps(asdict(filled)))
    return filled


async def _report(http: aiohttp.ClientSession, lines: bytes) -> None:
    async with http.post("/api/v1/lineage/batch", data=lines, headers=_NDJSON) as answer:
        answer.raise_for_status()


def _long_run(run: str) -> bytes:
    begin = datetime.now(UTC) - timedelta(hours=3)
    events = [
        {
            "eventType": "RUNNING" if number else "START",
            "eventTime": (begin + timedelta(seconds=number)).isoformat(),
            "run": {"runId": run},
            "job": {"namespace": "bench", "name": "long"},
            "producer": "https://example.com",
        }
        for number in range(EVENTS)
    ]
    return b"\n".join(json.dumps(event).encode() for event in events)

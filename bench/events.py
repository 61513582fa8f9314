"""Makes OpenLineage events from the templates in data/: like Airflow's (5 KB), and small ones (300 bytes).

The placeholders of a template are @id@, @type@, @time@ and @job@.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bench.database import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parent / "data"
PLACEHOLDER = re.compile("@(id|type|time|job)@")
JOBS = 50
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Template:
    """The text of an event, with placeholders."""

    name: str
    text: str

    @property
    def parts(self) -> list[str]:
        """The text split at its placeholders: texts and names of placeholders in turn."""
        return PLACEHOLDER.split(self.text)

    def heartbeat_of(self, run: object) -> Template:
        """Return a template of RUNNING events of one run of job load; they differ by their producer."""
        text = self.text.replace("@id@", str(run)).replace("@type@", "RUNNING")
        text = text.replace("etl_daily.@job@", "load")
        return Template(f"{self.name}, one run", text.replace("example.com/bench", "example.com/@id@"))

    def fill(self, run: object, kind: str, at: datetime, job: int) -> str:
        """Return an event with all placeholders filled in."""
        values = {"id": str(run), "type": kind, "time": at.isoformat(), "job": f"task_{job % JOBS}"}
        return PLACEHOLDER.sub(lambda found: values[found[1]], self.text)

    def write_shuffled(self, file: Path, runs: int) -> int:
        """Write a START and a COMPLETE event for each of `runs` runs in random order, one per line; return the size."""
        lines = list(self._lives(runs))
        random.Random(runs).shuffle(lines)
        text = "\n".join(lines) + "\n"
        file.write_text(text)
        return len(text)

    def heartbeats(self, run: object, count: int) -> str:
        """Return `count` RUNNING events of one run, one per line."""
        template = self.heartbeat_of(run)
        times = (BEGAN + timedelta(seconds=number) for number in range(count))
        return "".join(template.fill(new_id(), "", at, 0) + "\n" for at in times)

    def _lives(self, runs: int) -> Iterator[str]:
        for number in range(runs):
            run, at = new_id(), BEGAN + timedelta(seconds=number)
            yield self.fill(run, "START", at, number)
            yield self.fill(run, "COMPLETE", at + timedelta(seconds=60, microseconds=1), number)


def templates() -> list[Template]:
    """Return both templates, the small one first."""
    files = {"300 B": "small_event.json", "5 KB": "airflow_event.json"}
    return [Template(name, (DATA / file).read_text().strip()) for name, file in files.items()]

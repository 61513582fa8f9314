"""runfold import."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

import click

from service.bulk import Bulk
from service.commands.database import attached, migrate
from service.commands.options import DEFAULTS, database_options
from service.commands.progress import progress_bar
from service.errors import RunfoldError
from service.importing import import_events
from service.ingestion import Failure, Ingestion
from service.link import Link
from service.openlineage import Origin

_LINKS = 2
_SHOWN = 20
"""Refusals that are told one by one."""


@click.command("import", short_help="Read files of OpenLineage events into the ledger.")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option(
    "--refused", type=click.File("wb"), metavar="FILE", help="Write the events that were refused to FILE, one a line."
)
@database_options
def command(files: Sequence[str], refused: BinaryIO | None, database_url: str, data_dir: Path) -> None:
    """Read OpenLineage events from files: JSON arrays or lines of JSON, either of them gzip; - is standard input.

    An event that is in the ledger already is passed over, so an import that broke off is resumed by repeating it.
    Exit status 1 where events were refused.
    """
    told = _Told(refused)
    with attached(database_url, data_dir, must_exist=False) as dsn, ExitStack() as opened:
        migrate(dsn)
        for name in files:
            stream = (
                cast("BufferedReader", sys.stdin.buffer) if name == "-" else opened.enter_context(Path(name).open("rb"))
            )
            told.add(asyncio.run(_import(dsn, name, stream, told)))
    told.tell()
    sys.exit(1 if told.failures else 0)


class _Told:
    """What became of the events of all files."""

    def __init__(self, refused: BinaryIO | None) -> None:
        self._refused = refused
        self._first: list[str] = []
        self.new = 0
        self.known = 0
        self.failures = 0

    def add(self, one: Ingestion) -> None:
        self.new += one.recorded - one.known
        self.known += one.known

    def hear(self, name: str, failure: Failure) -> None:
        self.note(f"{name}:{failure.line.number}: {failure.reason}")
        if self._refused is not None and failure.line.text is not None and not failure.retriable:
            # Between the tokens of JSON a line break says nothing; within them there is none.
            self._refused.write(failure.line.text.replace(b"\n", b" ") + b"\n")

    def note(self, failure: str) -> None:
        self.failures += 1
        if len(self._first) < _SHOWN:
            self._first.append(failure)

    def tell(self) -> None:
        click.echo(f"{self.new} events recorded, {self.known} known already, {self.failures} refused.")
        for failure in self._first:
            click.echo(f"  {failure}", err=True)
        if self.failures > _SHOWN:
            click.echo(f"  … and {self.failures - _SHOWN} more", err=True)


async def _import(dsn: str, name: str, stream: BufferedReader, told: _Told) -> Ingestion:
    links = [Link(dsn) for _ in range(_LINKS)]
    bulk = Bulk(links, max_batch=DEFAULTS.max_batch, on_append=lambda _position, _events: None)
    heard = partial(told.hear, name)
    ingestion = Ingestion(bulk.append, Origin("import"), max_bytes=DEFAULTS.max_event_bytes, on_failure=heard)
    size = os.fstat(stream.fileno()).st_size if stream.seekable() else 0
    try:
        with progress_bar(f"Importing {name} (bytes)") as show:
            await import_events(stream, ingestion, DEFAULTS.max_event_bytes, lambda done: show(done, size))
    except RunfoldError as error:
        told.note(f"{name}: {error.detail}; what came before that was read")
    finally:
        for link in links:
            await link.close()
    if ingestion.retriable:
        raise click.ClickException(
            f"The database does not answer: {ingestion.recorded} events of {name} are recorded, not all. "
            "Repeat the import to go on; nothing is recorded twice."
        )
    return ingestion

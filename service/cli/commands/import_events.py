"""runfold import."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import click

from service.audit import saved_heads
from service.audit.saved_heads import SavedHead
from service.cli.commands.database import attached, migrate
from service.cli.commands.options import DEFAULTS, database_options
from service.cli.commands.progress import progress_bar
from service.database.connections import Connections
from service.errors import DatabaseUnavailable, RunfoldError
from service.ingest import checkpoints
from service.ingest.checkpoints import Checkpoint, ImportCheckpoint
from service.ingest.file_import import import_events
from service.ingest.ingestion import Ingestion, IngestionFailure
from service.ledger.bulk_appender import BulkAppender
from service.payloads.openlineage import Origin

_CONNECTIONS = 3
_SHOWN = 20
"""Refusals that are told one by one."""


@click.command("import", short_help="Read files of OpenLineage events into the ledger.")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option(
    "--refused", type=click.File("wb"), metavar="FILE", help="Write the events that were refused to FILE, one a line."
)
@click.option("--restart", is_flag=True, help="Read files from their beginning, whatever their bookmarks say.")
@database_options
def command(
    files: Sequence[str], *, refused: BinaryIO | None, restart: bool, database_url: str, data_dir: Path
) -> None:
    """Read OpenLineage events from files: JSON arrays or lines of JSON, either of them gzip; - is standard input.

    An event that is in the ledger already is not recorded again, so an import that broke off is resumed by repeating
    it. It goes on where it was: while it runs, a bookmark lies beside each file (FILE.runfold-import). Exit status 1
    where events were refused.
    """
    told = _Told(refused)
    with attached(database_url, data_dir, must_exist=False) as dsn, ExitStack() as opened:
        migrate(dsn)
        for name in files:
            stream = (
                cast("BufferedReader", sys.stdin.buffer) if name == "-" else opened.enter_context(Path(name).open("rb"))
            )
            asyncio.run(_import(dsn, _Source(name, stream), told, restart=restart))
    for name in files:
        checkpoints.remove_checkpoint(Path(name).resolve())
    told.tell()
    sys.exit(1 if told.failures else 0)


class _Source(NamedTuple):
    """A file as it was named, and opened."""

    name: str
    stream: BufferedReader

    @property
    def size(self) -> int:
        return os.fstat(self.stream.fileno()).st_size if self.stream.seekable() else 0

    @property
    def file(self) -> Path | None:
        """The file, where a bookmark can lie beside it."""
        path = Path(self.name).resolve()
        return path if self.name != "-" and path.is_file() else None


class _Told:
    """What became of the events of all files."""

    def __init__(self, refused: BinaryIO | None) -> None:
        self._refused = refused
        self._first: list[str] = []
        self.new = 0
        self.known = 0
        self.failures = 0

    def add(self, one: Ingestion, course: ImportCheckpoint) -> None:
        self.new += one.recorded - one.known
        self.known += one.known + course.skipped

    def hear(self, name: str, failure: IngestionFailure) -> None:
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


async def _import(dsn: str, source: _Source, told: _Told, *, restart: bool) -> None:
    done = None if restart or source.file is None else await _bookmark(dsn, source.file)
    connections = Connections(dsn, _CONNECTIONS, wait_s=None)
    course = ImportCheckpoint(connections, source.file, done)

    def heard(failure: IngestionFailure) -> None:
        told.hear(source.name, failure)
        course.record_failure(failure)

    bulk = BulkAppender(connections, max_batch=DEFAULTS.max_batch, on_append=lambda _position, _events: None)
    ingestion = Ingestion(bulk.append, Origin("import"), max_bytes=DEFAULTS.max_event_bytes, on_failure=heard)
    try:
        with progress_bar(f"Importing {source.name} (bytes)") as show:
            size = source.size
            await import_events(
                source.stream, ingestion, DEFAULTS.max_event_bytes, lambda read: show(read, size), course
            )
    except RunfoldError as error:
        told.note(f"{source.name}: {error.detail}; what came before that was read")
    finally:
        course.close()
        if course.write_error is not None:
            click.echo(course.write_error, err=True)
        await connections.close()
    if ingestion.retriable:
        raise click.ClickException(
            f"The database does not answer: {ingestion.recorded} events of {source.name} are recorded, not all. "
            "Repeat the import to go on; nothing is recorded twice."
        )
    told.add(ingestion, course)


async def _bookmark(dsn: str, file: Path) -> Checkpoint | None:
    """Return a file's bookmark where it holds of this ledger, too."""
    found = checkpoints.find_checkpoint(file)
    try:
        if (
            found is None
            or await saved_heads.compare_with_ledger(dsn, SavedHead(found.position, bytes.fromhex(found.hash)))
            is not None
        ):
            return None
    except DatabaseUnavailable:
        return None  # the first batch will say so
    click.echo(
        f"{file}: all up to line {found.line} is in the ledger, says {checkpoints.checkpoint_path(file).name}.",
        err=True,
    )
    return found

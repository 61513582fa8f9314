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
"""The number of refused events that are printed."""


@click.command("import", short_help="Read files of OpenLineage events into the ledger.")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@click.option("--refused", type=click.File("wb"), metavar="FILE", help="Write refused events to FILE, one per line.")
@click.option("--restart", is_flag=True, help="Ignore checkpoints and read each file from its beginning.")
@database_options
def command(
    files: Sequence[str], *, refused: BinaryIO | None, restart: bool, database_url: str, data_dir: Path
) -> None:
    """Read OpenLineage events from files: JSON arrays or lines of JSON, plain or gzip; - is standard input.

    An event that is already in the ledger is not recorded again: repeat an import that was interrupted. It continues
    from the checkpoint that it kept beside each file (FILE.runfold-import). Exits with 1 if events were refused.
    """
    summary = _Summary(refused)
    with attached(database_url, data_dir, must_exist=False) as dsn, ExitStack() as opened:
        migrate(dsn)
        for name in files:
            stream = (
                cast("BufferedReader", sys.stdin.buffer) if name == "-" else opened.enter_context(Path(name).open("rb"))
            )
            asyncio.run(_import(dsn, _Source(name, stream), summary, restart=restart))
    for name in files:
        checkpoints.remove_checkpoint(Path(name).resolve())
    summary.print()
    sys.exit(1 if summary.failures else 0)


class _Source(NamedTuple):
    """A file: the name that was given, and the open stream."""

    name: str
    stream: BufferedReader

    @property
    def size(self) -> int:
        return os.fstat(self.stream.fileno()).st_size if self.stream.seekable() else 0

    @property
    def file(self) -> Path | None:
        """The path, if a checkpoint can be kept beside it; None for a stream."""
        path = Path(self.name).resolve()
        return path if self.name != "-" and path.is_file() else None


class _Summary:
    """Counts the events of all files: recorded, already known and refused."""

    def __init__(self, refused: BinaryIO | None) -> None:
        self._refused = refused
        self._first_failures: list[str] = []
        self.recorded = 0
        self.known = 0
        self.failures = 0

    def add(self, ingestion: Ingestion, checkpoint: ImportCheckpoint) -> None:
        self.recorded += ingestion.recorded - ingestion.known
        self.known += ingestion.known + checkpoint.skipped

    def add_refused(self, name: str, failure: IngestionFailure) -> None:
        self.add_failure(f"{name}:{failure.line.number}: {failure.reason}")
        if self._refused is not None and failure.line.text is not None and not failure.retriable:
            # In valid JSON a line break stands only between tokens, where a space is equivalent.
            self._refused.write(failure.line.text.replace(b"\n", b" ") + b"\n")

    def add_failure(self, message: str) -> None:
        self.failures += 1
        if len(self._first_failures) < _SHOWN:
            self._first_failures.append(message)

    def print(self) -> None:
        click.echo(f"{self.recorded} events recorded, {self.known} known already, {self.failures} refused.")
        for failure in self._first_failures:
            click.echo(f"  {failure}", err=True)
        if self.failures > _SHOWN:
            click.echo(f"  … and {self.failures - _SHOWN} more", err=True)


async def _import(dsn: str, source: _Source, summary: _Summary, *, restart: bool) -> None:
    previous = None if restart or source.file is None else await _find_checkpoint(dsn, source.file)
    connections = Connections(dsn, _CONNECTIONS, wait_s=None)
    checkpoint = ImportCheckpoint(connections, source.file, previous)

    def on_failure(failure: IngestionFailure) -> None:
        summary.add_refused(source.name, failure)
        checkpoint.record_failure(failure)

    bulk = BulkAppender(connections, max_batch=DEFAULTS.max_batch, on_append=lambda _position, _events: None)
    ingestion = Ingestion(bulk.append, Origin("import"), max_bytes=DEFAULTS.max_event_bytes, on_failure=on_failure)
    try:
        with progress_bar(f"Importing {source.name} (bytes)") as show:
            size = source.size
            await import_events(
                source.stream, ingestion, DEFAULTS.max_event_bytes, lambda read: show(read, size), checkpoint
            )
    except RunfoldError as error:
        summary.add_failure(f"{source.name}: {error.detail}; everything before that was read")
    finally:
        checkpoint.close()
        if checkpoint.write_error is not None:
            click.echo(checkpoint.write_error, err=True)
        await connections.close()
    if ingestion.retriable:
        raise click.ClickException(
            f"The database does not answer: {ingestion.recorded} events of {source.name} are recorded, but not all."
            " Repeat the import to go on; nothing is recorded twice."
        )
    summary.add(ingestion, checkpoint)


async def _find_checkpoint(dsn: str, file: Path) -> Checkpoint | None:
    """Return the checkpoint of a file, if it belongs to this ledger."""
    checkpoint = checkpoints.find_checkpoint(file)
    if checkpoint is None:
        return None
    try:
        head = SavedHead(checkpoints.checkpoint_path(file), checkpoint.position, bytes.fromhex(checkpoint.hash))
        if (await saved_heads.compare_with_ledger(dsn, head)).reason is not None:
            return None
    except DatabaseUnavailable:
        return None  # the first batch reports it
    name = checkpoints.checkpoint_path(file).name
    click.echo(
        f"{file}: events up to line {checkpoint.line} are in the ledger, according to {name}; continuing there.",
        err=True,
    )
    return checkpoint

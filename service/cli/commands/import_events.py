"""runfold import."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple

import click

from service.audit import saved_heads
from service.audit.saved_heads import SavedHead
from service.cli.commands import import_marquez
from service.cli.commands.catalog_update import STATEMENT_TIMEOUT_S, Behind, update_catalog
from service.cli.commands.database import attached, migrate
from service.cli.commands.options import DEFAULTS, database_options, require_option
from service.cli.commands.progress import progress_bar
from service.cli.json_output import json_option, print_when_done
from service.cli.parameter_types import FilePath, OutputFile
from service.cli.standard_streams import standard_input
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
@click.argument("files", nargs=-1, metavar="FILE…", type=FilePath(exists=True, dir_okay=False, allow_dash=True))
@import_marquez.options
@click.option("--refused", type=OutputFile(), metavar="FILE", help="Write refused events to FILE, one per line.")
@click.option("--restart", is_flag=True, help="Ignore checkpoints and read each file from its beginning.")
@json_option("complete", "recorded", "known", "refused", "failures", "catalogBehind", "lineageBehind")
@database_options
def command(
    files: Sequence[str],
    *,
    marquez: str | None,
    checkpoint: Path | None,
    refused: BinaryIO | None,
    restart: bool,
    as_json: bool,
    database_url: str,
    data_dir: Path,
) -> None:
    """Read OpenLineage events from files: JSON arrays or lines of JSON, plain or gzip; - is standard input.

    With --marquez, read a database of Marquez instead: its events, and the namespaces, sources, tags, datasets, jobs
    and runs that its REST API alone recorded. The database is not changed.

    An event that is already in the ledger is not recorded again: repeat an import that was interrupted. It continues
    from the checkpoint that it kept beside each file (FILE.runfold-import). When the command ends, lists and
    graphs show the events. Exits with 1 if events were refused.
    """
    if bool(files) is (marquez is not None):
        raise click.UsageError("Name files, or a database of Marquez with --marquez.")
    if marquez is None:
        require_option(click.get_current_context(), "checkpoint", "--marquez")
    if refused is not None:
        _refuse_to_overwrite(files, Path(refused.name))
    if marquez is not None:
        source = import_marquez.Source(marquez, checkpoint, restart=restart)
        import_marquez.run(source, (database_url, data_dir), refused, as_json=as_json)
        return
    summary = _Summary(refused)
    with (
        attached(database_url, data_dir, must_exist=False) as dsn,
        print_when_done(summary.as_object, as_json=as_json),
        ExitStack() as opened,
    ):
        migrate(dsn)
        for name in files:
            stream = standard_input() if name == "-" else opened.enter_context(Path(name).open("rb"))
            asyncio.run(_import(dsn, _Source(name, stream), summary, restart=restart))
        summary.behind = asyncio.run(update_catalog(dsn))  # also where an interrupted import recorded the events
    for name in files:
        checkpoints.remove_checkpoint(Path(name).resolve())
    if not as_json:
        click.echo(f"{summary.recorded} events recorded, {summary.known} known already, {summary.refused} refused.")
    summary.print_failures()
    sys.exit(1 if summary.refused else 0)


def _refuse_to_overwrite(files: Sequence[str], refused: Path) -> None:
    """Raise UsageError if the file for refused events is one of those that are read: its events would be lost."""
    for name in files:
        if name != "-" and refused.exists() and refused.samefile(name):
            raise click.UsageError(f"--refused would overwrite {name}, which is read; name another file.")


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


class _Failure(NamedTuple):
    """Why an event was refused, or a file could not be read to its end: then `line` is None."""

    file: str
    line: int | None
    reason: str


class _Summary:
    """Counts the events of all files: recorded, already known and refused."""

    def __init__(self, refused: BinaryIO | None) -> None:
        self._refused_file = refused
        self._failures: list[_Failure] = []
        self._remarks: dict[str, str] = {}
        self._broken_off = False
        self.recorded = 0
        self.known = 0
        self.refused = 0
        self.behind = Behind(None, None)

    def add(self, ingestion: Ingestion, checkpoint: ImportCheckpoint) -> None:
        self.recorded += ingestion.recorded - ingestion.known
        self.known += ingestion.known + checkpoint.skipped

    def add_empty(self, name: str) -> None:
        self._remarks[name] = f"{name} contains no events."

    def add_refused(self, name: str, failure: IngestionFailure) -> None:
        self.add_failure(_Failure(name, failure.line.number, failure.reason))
        if name not in self._remarks and failure.line.text is not None and _is_exported(failure.line.text):
            self._remarks[name] = (
                f"{name} is an export of Runfold: its lines are records of the ledger, not OpenLineage events. The"
                " OpenLineage events are the payloads of those lines whose source is openlineage or import."
            )
        if self._refused_file is not None and failure.line.text is not None and not failure.retriable:
            # In valid JSON a line break stands only between tokens, where a space is equivalent.
            self._refused_file.write(failure.line.text.replace(b"\n", b" ") + b"\n")

    def add_failure(self, failure: _Failure) -> None:
        self.refused += 1
        self._broken_off |= failure.line is None
        if len(self._failures) < _SHOWN:
            self._failures.append(failure)

    def as_object(self, complete: bool) -> dict[str, object]:  # noqa: FBT001
        """Return the result for scripts; not complete where a file could not be read to its end, either."""
        return {
            "complete": complete and not self._broken_off,
            "recorded": self.recorded,
            "known": self.known,
            "refused": self.refused,
            "failures": [failure._asdict() for failure in self._failures],
            **self.behind.as_object(),
        }

    def print_failures(self) -> None:
        """Print the first failures, and remarks on files, to standard error."""
        for file, line, reason in self._failures:
            click.echo(f"  {file}: {reason}" if line is None else f"  {file}:{line}: {reason}", err=True)
        if self.refused > _SHOWN:
            click.echo(f"  … and {self.refused - _SHOWN} more", err=True)
        for remark in self._remarks.values():
            click.echo(remark, err=True)


def _is_exported(text: bytes) -> bool:
    """Return whether a refused line was written by `runfold export`."""
    try:
        line = json.loads(text)
    except ValueError:
        return False
    return isinstance(line, dict) and {"position", "kind", "recordedAt", "hash"} <= line.keys()


async def _import(dsn: str, source: _Source, summary: _Summary, *, restart: bool) -> None:
    previous = None if restart or source.file is None else await _find_checkpoint(dsn, source.file)
    connections = Connections(dsn, _CONNECTIONS, wait_s=None, command_timeout_s=STATEMENT_TIMEOUT_S)
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
        summary.add_failure(_Failure(source.name, None, f"{error.detail}; everything before that was read"))
    finally:
        checkpoint.close()
        if checkpoint.write_error is not None:
            click.echo(checkpoint.write_error, err=True)
        await connections.close()
    summary.add(ingestion, checkpoint)
    if ingestion.retriable:
        raise click.ClickException(
            f"Not all events of {source.name} are recorded: {ingestion.retriable_reason}. {ingestion.recorded} are."
            " Repeat the import to go on; nothing is recorded twice."
        )
    if ingestion.received + checkpoint.skipped == 0:
        summary.add_empty(source.name)


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

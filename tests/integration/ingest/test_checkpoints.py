"""runfold import that broke off goes on where it was, and never passes over what is not in the ledger."""

import asyncio
import errno
import gzip
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner
from programs import program_after, run
from waiting import wait_until

from service.cli.main import cli
from service.errors import Unavailable
from service.ingest import checkpoints
from service.ingest.checkpoints import checkpoint_path
from service.ledger.bulk_appender import BulkAppender


def event() -> str:
    names = '"job":{"namespace":"imported","name":"job"},"producer":"https://example.com"'
    return f'{{"eventTime":"2024-02-01T00:00:00Z","run":{{"runId":"{uuid4()}"}},{names}}}'


async def recorded(db) -> list[str]:
    rows = await db.fetch(
        "select p.body::text from runfold.events e join runfold.payloads p using (log, position)"
        " where e.source = 'import' order by position"
    )
    return [row[0] for row in rows]


@pytest.fixture
def imported(dsn):
    """Run the command in this process; return what it says."""

    def run(*arguments, into=dsn):
        found = CliRunner().invoke(cli, ["import", *map(str, arguments), "--database-url", into])
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found

    return run


@pytest.fixture
def often(monkeypatch):
    """A bookmark with every line, however short the file, and batches as small."""
    monkeypatch.setattr(checkpoints, "_EVERY", 1)
    monkeypatch.setattr("service.ingest.file_import._PIECE", 200)


@contextmanager
def sending(batches: int | None = None) -> Iterator[list[int]]:
    """Note how many events each batch sends; after some batches, let the database not answer any more."""
    real, sent = BulkAppender.append, []

    async def append(self, drafts):
        if len(sent) == batches:
            raise Unavailable("the database is away")
        sent.append(len(drafts))
        return await real(self, drafts)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BulkAppender, "append", append)
        yield sent


@pytest.fixture
def broken_off(often, imported, tmp_path):  # noqa: ARG001  pytest's way to say that it comes first
    """A file of ten events whose import broke off, and how many of them are recorded."""
    file = tmp_path / "events"
    file.write_text("\n".join(event() for _ in range(10)))
    with sending(batches=5) as sent:
        assert imported(file).exit_code == 1
    assert 5 <= sum(sent) < 10
    return file, sum(sent)


EVERY = 10_000
"""Lines between two bookmarks of the import that is killed, instead of 100,000."""


@pytest.mark.timeout(300)
async def test_an_import_that_was_killed_goes_on_where_it_was(dsn, db, tmp_path):
    whole = [event() for _ in range(3 * EVERY)]
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join(whole))
    command = ["import", file, "--database-url", dsn]
    sooner = f"from service.ingest import checkpoints\ncheckpoints._EVERY = {EVERY}"
    async with program_after(sooner, tmp_path / "killed", *command) as killed:

        async def has_begun():
            return checkpoint_path(file).exists()

        await wait_until(has_begun, "a bookmark")
        killed.send(signal.SIGKILL)
        assert (await killed.end()).status == -signal.SIGKILL
    before = await recorded(db)
    assert EVERY <= len(before) < len(whole)
    marked = json.loads(checkpoint_path(file).read_bytes())["line"]
    status, output, errors = await run(tmp_path / "resumed", *command)
    assert (status, output) == (
        0,
        f"{len(whole) - len(before)} events recorded, {len(before)} known already, 0 refused.\n",
    )
    assert f"up to line {marked}" in errors
    assert sorted(await recorded(db)) == sorted(whole)
    assert not checkpoint_path(file).exists()


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", ["lines", "array"])
def test_what_was_recorded_is_not_sent_again_and_what_was_refused_is_told_again(imported, tmp_path, form, packed):
    whole = [event() for _ in range(10)]
    whole[1:1] = ['{"eventTime": "soon"}']
    whole[9:9] = ['{"eventTime": "late"}']
    text = "\n".join(whole) if form == "lines" else f"[{','.join(whole)}]"
    file, refused = tmp_path / "events", tmp_path / "refused"
    file.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    with sending(batches=5) as first:
        broken = imported(file, "--refused", refused)
    assert (broken.exit_code, "Repeat the import to go on" in broken.output) == (1, True)
    assert checkpoint_path(file).exists()
    with sending() as second:
        again = imported(file, "--refused", refused)
    assert again.exit_code == 1
    assert again.stdout == f"{sum(second)} events recorded, {sum(first)} known already, 2 refused.\n"
    assert sum(first) + sum(second) == 10
    assert refused.read_text() == '{"eventTime": "soon"}\n{"eventTime": "late"}\n'
    assert not checkpoint_path(file).exists()


def test_files_that_were_done_are_passed_over_until_the_last_one_is(imported, often, tmp_path):  # noqa: ARG001
    files = [tmp_path / "first", tmp_path / "second"]
    for file in files:
        file.write_text("\n".join(event() for _ in range(5)))
    with sending(batches=7) as sent:
        assert imported(*files).exit_code == 1
    with sending() as again:
        assert imported(*files).exit_code == 0
    assert sum(sent) + sum(again) == 10
    assert not any(checkpoint_path(file).exists() for file in files)


def test_a_file_that_has_grown_is_gone_on_with(imported, broken_off):
    file, recorded = broken_off
    with file.open("a") as grown:
        grown.write(f"\n{event()}")
    with sending() as sent:
        assert imported(file).stdout == f"{11 - recorded} events recorded, {recorded} known already, 0 refused.\n"
    assert sum(sent) == 11 - recorded


def test_a_file_that_is_another_now_is_read_from_its_beginning(imported, broken_off):
    file, _ = broken_off
    text = file.read_text()
    other = [event(), *text.splitlines()[1:]]
    file.write_text("\n".join(other))
    assert file.stat().st_size == len(text)
    with sending() as sent:
        imported(file)
    assert sum(sent) == 10


async def test_another_ledger_is_told_everything(broken_off, imported, empty_dsn, dsn):
    file, _ = broken_off
    with sending() as sent:
        told = await asyncio.to_thread(imported, file, into=empty_dsn)
    assert told.stdout == "10 events recorded, 0 known already, 0 refused.\n"
    assert sum(sent) == 10
    assert dsn != empty_dsn


@pytest.mark.parametrize("torn", ["", "{", '{"size": 1}', "[]"])
def test_a_bookmark_that_is_torn_is_none(imported, broken_off, torn):
    file, recorded = broken_off
    checkpoint_path(file).write_text(torn)
    with sending() as sent:
        told = imported(file)
    assert told.stdout == f"{10 - recorded} events recorded, {recorded} known already, 0 refused.\n"
    assert sum(sent) == 10


def test_restart_believes_no_bookmark(imported, broken_off):
    file, recorded = broken_off
    with sending() as sent:
        told = imported(file, "--restart")
    assert told.stdout == f"{10 - recorded} events recorded, {recorded} known already, 0 refused.\n"
    assert sum(sent) == 10


@pytest.mark.usefixtures("often")
def test_where_no_bookmark_can_be_put_the_import_is_none_the_worse(imported, tmp_path):
    file = tmp_path / "events"
    file.write_text("\n".join(event() for _ in range(10)))
    checkpoint_path(file).mkdir()
    told = imported(file)
    assert told.stdout == "10 events recorded, 0 known already, 0 refused.\n"
    assert told.stderr.count("cannot be written") == 1


@pytest.mark.usefixtures("often")
def test_a_file_with_very_many_refused_lines_keeps_the_bookmark_that_names_them_all(imported, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "_MAX_REFUSED", 2)
    file = tmp_path / "events"
    file.write_text("\n".join([event(), *("nonsense" * 30 for _ in range(40)), *(event() for _ in range(5))]))
    with sending(batches=3) as sent:
        imported(file)
    assert len(json.loads(checkpoint_path(file).read_bytes())["refused"]) <= 2
    assert imported(file).stdout == f"{6 - sum(sent)} events recorded, {sum(sent)} known already, 40 refused.\n"


def test_a_file_in_a_read_only_directory_is_imported_and_that_is_said(imported, tmp_path, monkeypatch):
    def read_only(path, *_arguments, **_options):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    file = tmp_path / "events"
    file.write_text(event())
    monkeypatch.setattr(Path, "unlink", read_only)
    monkeypatch.setattr(Path, "write_bytes", read_only)
    found = imported(file)
    assert (found.exit_code, found.stdout) == (0, "1 events recorded, 0 known already, 0 refused.\n")

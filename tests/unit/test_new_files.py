"""Files that have their names once they are complete, written by several processes at once."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import OperatorError
from service.ingest.checkpoints import Checkpoint, _write, checkpoint_path, find_checkpoint
from service.ingest.marquez_checkpoints import MarquezCheckpoint, save_checkpoint
from service.ingest.marquez_checkpoints import find_checkpoint as find_marquez_checkpoint
from service.new_files import NewFile, new_file

HASH = "0" * 64
"""Of a head."""

WRITE_AND_WAIT = """
import sys
from pathlib import Path
from service.new_files import new_file
with new_file(Path(sys.argv[1])) as new:
    new.file.write(b"half")
    new.file.flush()
    print("written", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path):
    """Return a process that is writing a file for `target`."""
    command = [sys.executable, "-c", WRITE_AND_WAIT, tmp_path / "target"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "written\n"
        yield process
        process.kill()


def write(target, content, give_name=NewFile.rename):
    with new_file(target) as new:
        new.file.write(content)
        return give_name(new, target)


@given(names=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_a_file_of_any_name_is_written_and_nothing_else_stays(names, tmp_path_factory):
    directory = tmp_path_factory.mktemp("names")
    target = directory / f"x{names}"
    for content in (b"first", b"second"):
        write(target, content)
        assert target.read_bytes() == content
        assert list(directory.iterdir()) == [target]


def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path):
    write(tmp_path / ("x" * 255), b"content")
    assert (tmp_path / ("x" * 255)).read_bytes() == b"content"


def test_a_file_has_the_mode_of_any_new_file(tmp_path):
    (tmp_path / "other").touch()
    write(tmp_path / "target", b"")
    assert (tmp_path / "target").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_block_that_fails_leaves_nothing_and_the_file_that_was_there(tmp_path):
    (tmp_path / "target").write_bytes(b"earlier")

    def interrupted(_new, _target):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "target", b"half", interrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    assert (tmp_path / "target").read_bytes() == b"earlier"


def test_a_file_that_is_there_is_replaced_only_where_that_is_wanted(tmp_path):
    target = tmp_path / "target"
    assert write(target, b"first", NewFile.rename_unless_taken)
    assert not write(target, b"second", NewFile.rename_unless_taken)
    assert (target.read_bytes(), list(tmp_path.iterdir())) == (b"first", [target])


def test_a_file_system_without_links_replaces_no_file_either(tmp_path, monkeypatch):
    def link(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", link)
    test_a_file_that_is_there_is_replaced_only_where_that_is_wanted(tmp_path)


def test_a_file_of_another_process_is_left_alone_until_that_is_killed(writer, tmp_path):
    target = tmp_path / "target"
    write(target, b"ours")
    assert len(list(tmp_path.glob(".target.*.part"))) == 1
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    write(tmp_path / "other", b"of another target")
    assert len(list(tmp_path.glob(".target.*.part"))) == 1
    write(target, b"ours again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "target"]


@pytest.mark.usefixtures("writer")
def test_one_that_excludes_others_says_that_there_is_another(tmp_path):
    with pytest.raises(OperatorError, match=f"^Another process is writing {tmp_path}/target; "):  # noqa: SIM117
        with new_file(tmp_path / "target", exclusive=True):
            pass
    with new_file(tmp_path / "other", exclusive=True) as new:
        new.rename(tmp_path / "other")


def test_what_many_write_at_once_is_that_of_one_of_them(tmp_path):
    target = tmp_path / "target"

    def write_some(number):
        for _ in range(20):
            write(target, b"%d" % number * 10_000)
            found = target.read_bytes()
            assert (len(found), len(set(found))) == (10_000, 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write_some, range(8)))
    assert list(tmp_path.iterdir()) == [target]


def test_of_many_that_replace_nothing_one_has_the_name(tmp_path):
    def write_one(target):
        return write(target, os.urandom(10), NewFile.rename_unless_taken)

    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            assert sum(pool.map(write_one, [tmp_path / str(number)] * 8)) == 1


def test_checkpoints_that_imports_of_one_file_save_at_once_are_whole(tmp_path):
    file = tmp_path / "events"
    file.write_bytes(b"")

    def save(number):
        for line in range(20):
            _write(file, Checkpoint(0, "e3b0c442", line, tuple(range(number * 500)), line, HASH))
            msgspec.json.decode(checkpoint_path(file).read_bytes(), type=Checkpoint)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, range(8)))
    assert find_checkpoint(file) is None  # the digest is none
    assert {path.name for path in tmp_path.iterdir()} == {file.name, checkpoint_path(file).name}


def test_checkpoints_of_imports_from_marquez_likewise(tmp_path):
    file = tmp_path / "checkpoint"
    checkpoint = msgspec.json.decode(
        b'{"created_at":"2024-01-01T00:00:00Z","position":7,"hash":"%b"}' % HASH.encode(), type=MarquezCheckpoint
    )

    def save(_number):
        for _ in range(20):
            save_checkpoint(file, checkpoint)
            assert find_marquez_checkpoint(file) == checkpoint

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, range(8)))
    assert list(Path(tmp_path).iterdir()) == [file]

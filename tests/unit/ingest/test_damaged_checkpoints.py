"""A damaged checkpoint is ignored; a file that is not a checkpoint is not overwritten by one."""

import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from click.testing import CliRunner

from service.cli.main import cli
from service.ingest import checkpoints, marquez_checkpoints

OF_FILE = {"size": 0, "sha256": sha256().hexdigest(), "line": 0, "refused": [], "position": 5, "hash": "ab" * 32}
OF_MARQUEZ = {"created_at": datetime(2024, 1, 1, tzinfo=UTC).isoformat(), "position": 5, "hash": "ab" * 32}

DAMAGES = [{"hash": "xy" * 32}, {"hash": "ab"}, {"hash": f"{'ab' * 32}\n"}, {"position": -1}, {"position": 2**63}]


def find_of_file(directory, content):
    file = directory / "events"
    file.touch()
    checkpoints.checkpoint_path(file).write_text(json.dumps(content))
    return checkpoints.find_checkpoint(file)


def find_of_marquez(directory, content):
    (directory / "checkpoint").write_text(json.dumps(content))
    return marquez_checkpoints.find_checkpoint(directory / "checkpoint")


@pytest.mark.parametrize(("find", "good"), [(find_of_file, OF_FILE), (find_of_marquez, OF_MARQUEZ)])
def test_a_damaged_checkpoint_is_none(find, good, tmp_path):
    assert find(tmp_path, good).position == 5
    assert [find(tmp_path, good | damage) for damage in DAMAGES] == [None] * len(DAMAGES)


def test_a_file_that_is_no_checkpoint_is_not_overwritten(tmp_path):
    file = tmp_path / "notes"
    file.write_text("mine")
    arguments = ["import", "--marquez", "postgresql://me@127.0.0.1:1/x", "--checkpoint", str(file)]
    ended = CliRunner().invoke(cli, arguments, prog_name="runfold")
    assert ended.exit_code == 2
    assert "is there and no checkpoint; it would be overwritten" in ended.output
    assert file.read_text() == "mine"

"""In a container, the default data directory is used only where a volume is mounted."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from service.cli import volume
from service.cli.commands import options
from service.cli.commands.options import NO_DATA_DIR, require_data_dir
from service.cli.main import cli

LINE = "101 90 254:0 /data {point} rw,relatime shared:1 - ext4 /dev/vda rw"


def mounts(tmp_path: Path, *points: str) -> Path:
    file = tmp_path / "mountinfo"
    file.write_text("".join(LINE.format(point=point) + "\n" for point in ("/", "/proc", *points)))
    return file


@pytest.mark.parametrize("point", ["/var/lib/runfold", "/var/lib", "/var"])
def test_a_mount_at_the_directory_or_above_it_is_a_volume(tmp_path, point):
    assert volume.is_mounted(Path("/var/lib/runfold"), mounts(tmp_path, point))


@pytest.mark.parametrize("point", ["/var/lib/runfold/postgres", "/var/lib/run", "/var/lib/runfold2", "/proc"])
def test_any_other_mount_is_not(tmp_path, point):
    assert not volume.is_mounted(Path("/var/lib/runfold"), mounts(tmp_path, point))


def test_the_names_of_mounts_are_unescaped(tmp_path):
    assert volume.is_mounted(Path("/a b\\c"), mounts(tmp_path, r"/a\040b\134c"))


def test_without_the_list_of_mounts_the_system_is_asked(tmp_path):
    assert volume.is_mounted(Path("/proc"), tmp_path / "none")
    assert not volume.is_mounted(tmp_path, tmp_path / "none")


def test_the_kernel_lists_a_mount():
    assert volume.is_mounted(Path("/proc"))


def test_a_container_without_a_volume_has_no_default(tmp_path, monkeypatch):
    monkeypatch.setenv(volume.VARIABLE, str(tmp_path))
    monkeypatch.setattr(volume, "is_mounted", lambda _path: False)
    assert options._default_data_dir() == NO_DATA_DIR
    with pytest.raises(click.UsageError, match=rf"No volume is mounted at {tmp_path}, .*--database-url.*--data-dir"):
        require_data_dir(NO_DATA_DIR)


def test_a_mounted_volume_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv(volume.VARIABLE, str(tmp_path))
    monkeypatch.setattr(volume, "is_mounted", lambda _path: True)
    assert options._default_data_dir() == tmp_path


def test_the_variable_of_the_image_is_no_unknown_setting(monkeypatch):
    monkeypatch.setenv(volume.VARIABLE, "/var/lib/runfold")
    result = CliRunner().invoke(cli, ["keys", "create", "a b", "--scope", "read"])
    assert "There is no setting" not in result.output
    assert "it must have at most 128 letters" in result.output

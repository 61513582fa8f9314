"""A command loads the modules that it needs, and no others: they take most of the time of a short command."""

import subprocess
import sys

import pytest

LOADED = """
import sys
from click.testing import CliRunner
from service.cli.main import cli
assert CliRunner().invoke(cli, sys.argv[1:]).exit_code in (0, 1)
print(*sorted(name for name in sys.modules if name.startswith(("service.cli.commands.", "aiohttp"))))
"""


@pytest.mark.parametrize("command", ["keys", "migrate", "runs"])
def test_a_command_loads_no_other_and_no_server(command, monkeypatch):
    for name in ("RUNFOLD_DATABASE_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    arguments = [command, "list", "--help"] if command == "keys" else [command, "--help"]
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True
    ).stdout.split()
    assert f"service.cli.commands.{command}" in loaded
    assert "service.cli.commands.serve" not in loaded
    assert not [name for name in loaded if name.startswith("aiohttp")]

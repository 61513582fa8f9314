"""--json: which commands have it, and that its fields are documented."""

import json
import re
from pathlib import Path

import click
import pytest

from service.cli.environment import subcommands_of
from service.cli.json_output import JsonOption, print_json
from service.cli.main import cli

NO_RESULTS = {"serve", "demo"}
OPERATIONS = Path(__file__).parents[3] / "docs/operations.md"


def leaves(group=cli, path=()):
    for command in subcommands_of(group):
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, command.name))
        else:
            yield " ".join((*path, command.name)), command


COMMANDS = {name: command for name, command in leaves() if name not in NO_RESULTS}


def documented():
    """Return the cell with the fields of each command in the table of docs/operations.md."""
    section = OPERATIONS.read_text().partition("### Output for scripts")[2].partition("\n### ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {name.split(" --")[0]: fields for names, fields in rows for name in re.findall("`(.+?)`", names)}


def test_the_table_lists_every_command():
    assert documented().keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_prints_results_has_json_and_its_fields_are_in_help_and_table(name):
    (option,) = (one for one in COMMANDS[name].params if isinstance(one, JsonOption))
    assert option.opts == ["--json"]
    for field in option.fields:
        assert re.search(rf"\b{field}\b", option.help)
        assert f"`{field}`" in documented()[name]


def test_names_of_files_that_are_not_utf8_are_printed(capsys):
    print_json({"file": "caf\udce9", "failures": [{"file": "caf\udce9", "line": 1}], "head": None})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"file": "caf?", "failures": [{"file": "caf?", "line": 1}], "head": None}

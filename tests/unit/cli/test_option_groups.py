"""Long helps show options in groups: each option once, none forgotten."""

import re

import pytest
from click.testing import CliRunner

from service.cli.commands import export, serve
from service.cli.option_groups import OTHERS

COMMANDS = pytest.mark.parametrize("command", [serve.command, export.command], ids=lambda command: command.name)


@COMMANDS
def test_each_option_is_in_one_group(command):
    grouped = [name for names in command.groups.values() for name in names]
    assert sorted(grouped) == sorted(parameter.name for parameter in command.params)


@COMMANDS
def test_the_help_has_each_option_once_below_the_title_of_its_group(command):
    text = CliRunner().invoke(command, ["--help"], prog_name="x").output
    titles = [*command.groups, OTHERS]
    places = [text.index(f"\n{title}:\n") for title in titles] + [len(text)]
    assert places == sorted(places)
    flags = {option.name: option.opts[-1] for option in command.params} | {"help": "--help"}
    for title, begin, end in zip(titles, places, places[1:], strict=False):
        shown = re.findall(r"^  (?:-h, )?(--[\w-]+)", text[begin:end], re.MULTILINE)
        assert shown == [flags[name] for name in command.groups.get(title, ("help",))]

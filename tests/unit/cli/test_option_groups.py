"""Long helps show options in groups: each option once, none forgotten."""

import re

import click
import pytest
from click.testing import CliRunner

from service.cli.environment import subcommands_of
from service.cli.main import cli
from service.cli.option_groups import OTHERS, GroupedCommand

_MANY = 8

ALL = list(subcommands_of(cli))
COMMANDS = pytest.mark.parametrize(
    "command", [each for each in ALL if isinstance(each, GroupedCommand)], ids=lambda command: command.name
)


def options(command):
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def test_commands_of_many_options_have_groups():
    assert [one.name for one in ALL if len(options(one)) > _MANY and not isinstance(one, GroupedCommand)] == []


@COMMANDS
def test_each_option_is_in_one_group(command):
    grouped = [name for names in command.groups.values() for name in names]
    assert sorted(grouped) == sorted(option.name for option in options(command))


@COMMANDS
def test_the_help_has_each_option_once_below_the_title_of_its_group(command):
    text = CliRunner().invoke(command, ["--help"], prog_name="x").output
    titles = [*command.groups, OTHERS]
    places = [text.index(f"\n{title}:\n") for title in titles] + [len(text)]
    assert places == sorted(places)
    flags = {option.name: option.opts[-1] for option in options(command)} | {"help": "--help"}
    for title, begin, end in zip(titles, places, places[1:], strict=False):
        shown = re.findall(r"^  (?:-h, )?(--[\w-]+)", text[begin:end], re.MULTILINE)
        assert shown == [flags[name] for name in command.groups.get(title, ("help",))]
        assert not re.search(r"^  [A-Z]", text[begin:end], re.MULTILINE)  # no argument

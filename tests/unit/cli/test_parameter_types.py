"""Values that no command can use are refused as wrong usage, in words, whatever command gets them."""

import math
import os
from datetime import UTC, date
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from service.cli.commands.options import parse_time
from service.cli.environment import subcommands_of
from service.cli.main import cli
from service.cli.parameter_types import FilePath, Integer, Number, OptionalText, OutputFile, Text, is_utf8

ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""Also lone surrogates, as which bytes arrive that are not UTF-8, and NUL."""

CHECKED = (Text, FilePath, OutputFile)


def commands(group=cli, names=()):
    """Yield the words that call each command, and the command."""
    for command in subcommands_of(group):
        words = (*names, command.name)
        yield (words, command)
        yield from commands(command, words)


PARAMETERS = [
    pytest.param(words, parameter, id=f"{' '.join(words)} {parameter.opts[-1]}")
    for words, command in commands()
    for parameter in command.params
    if isinstance(parameter.type, CHECKED) and not isinstance(parameter.type, OptionalText)
]


def taken(convert, text):
    """Return what a text is converted to, and None; or None, and why it is refused."""
    try:
        return convert(text), None
    except click.BadParameter as error:
        return None, error.message


def end(*arguments):
    return CliRunner().invoke(cli, arguments, prog_name="runfold")


def with_value(words, parameter, value):
    """Return how a command ends that gets a value for a parameter."""
    return end(*words, *([] if isinstance(parameter, click.Argument) else [parameter.opts[-1]]), value)


@pytest.mark.parametrize(("words", "parameter"), PARAMETERS)
def test_an_empty_value_is_wrong_usage(words, parameter):
    ended = with_value(words, parameter, "")
    assert (ended.exit_code, type(ended.exception)) == (2, SystemExit)
    assert "empty" in ended.output


@pytest.mark.parametrize(("words", "parameter"), [case for case in PARAMETERS if isinstance(case.values[1].type, Text)])
def test_text_that_is_not_utf8_is_wrong_usage(words, parameter):
    ended = with_value(words, parameter, "caf\udce9")
    assert (ended.exit_code, type(ended.exception)) == (2, SystemExit)
    assert "it is not text in UTF-8" in ended.output


@pytest.mark.parametrize(
    "arguments", [("archive", "--before", "2024-01-01", "--to", "caf\udce9"), ("runs", "--data-dir", "caf\udce9")]
)
def test_a_directory_that_is_recorded_or_part_of_a_url_has_a_name_in_utf8(arguments):
    ended = end(*arguments)
    assert ended.exit_code == 2
    assert "it is not text in UTF-8" in ended.output


def test_no_parameter_takes_values_that_nothing_checks():
    unchecked = {
        f"{' '.join(words)} {parameter.opts[-1]}"
        for words, command in commands()
        for parameter in command.params
        if type(parameter.type) in {type(click.STRING), click.Path, click.File, click.IntRange, click.FloatRange}
        and parameter.callback is None
    }
    assert unchecked == set()


@given(ANY_TEXT)
def test_text_is_taken_if_it_is_utf8_and_not_empty(text):
    value, refusal = taken(Text(), text)
    if refusal is None:
        assert value == text != ""
        assert text.encode().decode() == text
    else:
        assert not text or not is_utf8(text)


@given(ANY_TEXT)
def test_any_path_is_taken_or_refused(text):
    path, refusal = taken(FilePath(), text)
    assert path == text or refusal is not None
    assert text or refusal is not None


@pytest.mark.parametrize("kind", [FilePath(), OutputFile()], ids=["path", "output"])
def test_a_path_that_is_too_long_is_refused(kind, tmp_path):
    with pytest.raises(click.BadParameter, match="File name too long"):
        kind(str(tmp_path / ("x" * 5000)))


def test_a_file_is_refused_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    for path, message in {
        tmp_path: "is a directory",
        tmp_path / "missing" / "x": "there is no directory",
        tmp_path / "file" / "x": "there is no directory",
    }.items():
        with pytest.raises(click.BadParameter, match=message):
            OutputFile()(str(path))
    OutputFile()(str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


@given(st.one_of(ANY_TEXT, st.floats().map(str)))
def test_a_number_is_finite_and_within_its_bounds(text):
    number, refusal = taken(Number(0.1, 300), text)
    if refusal is None:
        assert math.isfinite(number)
        assert 0.1 <= number <= 300
    else:
        assert "float range" not in refusal


def test_an_error_calls_an_integer_so():
    with pytest.raises(click.BadParameter, match=r"'1\.5' is not a valid integer\.$"):
        Integer(min=1)("1.5")


def time_of(text):
    return parse_time(None, None, text)


@given(st.dates(min_value=date(1, 1, 2)))
def test_a_date_is_its_midnight(day):
    assert time_of(str(day)).isoformat() == f"{day}T00:00:00+00:00"


def test_the_date_is_refused_that_stands_for_infinity():
    assert "cannot be stored" in taken(time_of, "0001-01-01")[1]


@given(ANY_TEXT)
def test_any_text_is_a_time_or_refused(text):
    at, refusal = taken(time_of, text)
    assert at.tzinfo is UTC if refusal is None else "a date such as 2019-05-09 is midnight UTC" in refusal


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (("verify", "--restart"), "--restart needs --catalog"),
        (("verify", "--archives", "."), "--archives needs --catalog"),
        (("import", "--checkpoint", "x", os.devnull), "--checkpoint needs --marquez"),
        (("migrate", "--role-password", "x"), "--role-password needs --role"),
        (("demo", "--days", "3"), "--days needs --history"),
        (("demo", "--seed", "3"), "--seed needs --history"),
    ],
)
def test_an_option_without_the_one_that_gives_it_a_meaning_is_wrong_usage(arguments, needed):
    ended = end(*arguments)
    assert ended.exit_code == 2
    assert f"Error: {needed}." in ended.output


@pytest.mark.parametrize("other", ["events", "link", "./events"])
def test_refused_events_do_not_overwrite_the_file_that_is_read(other, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("events").write_text("{}")
    Path("link").symlink_to("events")
    ended = end("import", os.devnull, "events", "--refused", other)
    assert ended.exit_code == 2
    assert "--refused would overwrite events, which is read" in ended.output
    assert Path("events").read_text() == "{}"


@pytest.mark.parametrize("role", ["x" * 64, "é" * 32, " "])
def test_no_role_has_such_a_name(role):
    ended = end("migrate", "--role", role)
    assert ended.exit_code == 2
    assert "the name of a role has 1 to 63 bytes" in ended.output


@pytest.mark.parametrize("key", ["a\nb", "é", "x" * 1025])
def test_no_key_has_such_a_secret(key):
    ended = end("demo", "--key", key)
    assert ended.exit_code == 2
    assert "it must be the secret that `runfold keys create` has printed" in ended.output

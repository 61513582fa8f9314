"""What the program says of an error: a sentence of a bounded length, and no traceback for a file."""

import re

import click
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from service.cli.main import _Program, cli
from service.cli.text import in_few_words


@given(st.lists(st.sampled_from(["x" * 5000, "'", " ", "\n", "\x1b[31m", "\x9b", "\udcff", "é", "."])).map("".join))
def test_any_message_has_short_words_and_nothing_that_a_terminal_obeys(text):
    message = in_few_words(text)
    assert re.search(r"\S{202}", message) is None
    assert all(character == "\n" or character.isprintable() for character in message)
    assert message.count("\n") == text.count("\n")


def test_a_message_of_short_words_stays_as_it_is():
    message = f"Error: 'é' is not one of \"a\", b{'x' * 100}.\n"
    assert in_few_words(message) == message


def test_a_long_value_is_cut_wherever_it_stands():
    for arguments in (["x" * 5000], [f"--{'x' * 5000}"], ["runs", f"--{'x' * 5000}"], ["runs", "--limit", "1" * 5000]):
        ended = CliRunner().invoke(cli, arguments, prog_name="runfold")
        assert ended.exit_code == 2
        assert "…" in ended.output
        assert len(ended.output) < 500


def test_a_file_that_cannot_be_used_is_named():
    @click.command("touch")
    def touch():
        raise FileNotFoundError(2, "No such file or directory", "a\nb")

    program = _Program()
    program.add_command(touch)
    ended = CliRunner().invoke(program, ["touch"])
    assert (ended.exit_code, ended.output) == (1, "Error: 'a\\nb' cannot be used: No such file or directory.\n")


def test_an_output_that_is_full_is_a_sentence():
    @click.command("print")
    def write():
        raise OSError(28, "No space left on device")

    program = _Program()
    program.add_command(write)
    ended = CliRunner().invoke(program, ["print"])
    assert (ended.exit_code, ended.output) == (1, "Error: The output cannot be written: No space left on device.\n")


def test_a_defect_is_not_hidden():
    @click.command("fail")
    def fail():
        raise OSError("no file is named")

    program = _Program()
    program.add_command(fail)
    assert isinstance(CliRunner().invoke(program, ["fail"]).exception, OSError)

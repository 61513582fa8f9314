"""--json: the result of a command as one JSON document on standard output. Messages go to standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from service.payloads.json_writer import dump

F = TypeVar("F", bound=Callable[..., Any])


class JsonOption(click.Option):
    """The flag --json. `fields` are the names of the object that it prints, or of each object in an array."""

    def __init__(self, *names: Any, fields: tuple[str, ...], **attributes: Any) -> None:  # noqa: ANN401  those of click
        """Take the names of the fields, and what click.Option takes."""
        super().__init__(*names, **attributes)
        self.fields = fields


def json_option(*fields: str, help_text: str = "Print one JSON object, for scripts:") -> Callable[[F], F]:
    """Return --json for a command that prints an object with these fields, or what the help says."""
    text = f"{help_text} {{{', '.join(fields)}}}." if fields else help_text
    return click.option("--json", "as_json", cls=JsonOption, fields=fields, is_flag=True, help=text)


def print_json(value: object) -> None:
    """Print a value as JSON on one line. Bytes of a file's name that are not UTF-8 are printed as question marks."""
    try:
        line = dump(value)
    except TypeError:
        line = dump(_in_utf8(value))
    click.echo(line)


def _in_utf8(value: object) -> object:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {name: _in_utf8(each) for name, each in value.items()}
    return [_in_utf8(each) for each in value] if isinstance(value, list | tuple) else value


@contextmanager
def print_when_done(result: Callable[[bool], dict[str, object]], *, as_json: bool) -> Iterator[None]:
    """Print the result at the end of the block, also where an error ends it; `result` is called with False then.

    What was done until the error stays done, and a script must learn of it.
    """
    try:
        yield
    except BaseException:
        if as_json:
            print_json(result(False))  # noqa: FBT003
        raise
    if as_json:
        print_json(result(True))  # noqa: FBT003

"""Types of the parameters of commands: each refuses a value that no command can use, in words for the caller.

click's own types take text that is empty or not UTF-8, files without a name, and NaN as a number; and their errors call
a number a "range".
"""

import errno
import math
import os
from pathlib import Path
from typing import Any, BinaryIO, cast

import click

EMPTY = "its value is empty; give a value, or leave the option out."
_EMPTY_ARGUMENT = "it is empty."
_NOT_UTF8 = "it is not text in UTF-8."

_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.EACCES)
"""Errors of a file that is not there or may not be seen: click, or the command, says what that means."""


class Text(click.ParamType[str]):
    """Text in UTF-8 that is not empty. An empty value is mostly a variable of a script that is not set."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text."""
        refuse_empty(self, value, param, ctx)
        if not is_utf8(value):
            self.fail(_NOT_UTF8, param, ctx)
        return value


class OptionalText(Text):
    """Text in UTF-8 that may be empty: that is the default."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text."""
        return super().convert(value, param, ctx) if value else value


def refuse_empty(
    kind: click.ParamType[Any], value: str, param: click.Parameter | None, ctx: click.Context | None
) -> None:
    """Fail for an empty value."""
    if not value:
        kind.fail(_EMPTY_ARGUMENT if isinstance(param, click.Argument) else EMPTY, param, ctx)


def is_utf8(text: str) -> bool:
    """Return whether a text can be encoded: bytes of an argument that are not UTF-8 arrive as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class FilePath(click.Path):
    """The path of a file or directory; not an empty one, which stands for the current directory.

    `utf8`: it is recorded, or becomes a part of a URL, so it must be UTF-8.
    """

    def __init__(self, *arguments: Any, utf8: bool = False, **attributes: Any) -> None:  # noqa: ANN401  those of click
        """Take what click.Path takes."""
        super().__init__(*arguments, **attributes)
        self.utf8 = utf8

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path."""
        check_path(self, value, param, ctx)
        if self.utf8 and not is_utf8(os.fspath(value)):
            self.fail(_NOT_UTF8, param, ctx)
        return super().convert(value, param, ctx)


class OutputFile(click.File):
    """A file that is opened for writing when the first byte is written; whether it can be is looked at before."""

    def __init__(self) -> None:
        """Write bytes."""
        super().__init__("wb")

    def convert(
        self,
        value: str | os.PathLike[str] | Any,  # noqa: ANN401  as in click
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> BinaryIO:
        """Return the file."""
        check_path(self, value, param, ctx)
        path = Path(value)
        if path.is_dir():
            self.fail(f"{str(path)!r} is a directory.", param, ctx)
        if not path.parent.is_dir():
            self.fail(f"there is no directory {str(path.parent)!r}.", param, ctx)
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            self.fail(f"this user may not write {str(path)!r}.", param, ctx)
        return cast("BinaryIO", super().convert(value, param, ctx))


def check_path(
    kind: click.ParamType[Any],
    value: str | os.PathLike[str],
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> None:
    """Fail for a path that is empty, or that the system can never open, such as one that is too long."""
    refuse_empty(kind, os.fspath(value), param, ctx)
    try:
        os.lstat(value)
    except OSError as error:
        if error.errno not in _MISSING:
            kind.fail(f"{os.fspath(value)!r}: {error.strerror}.", param, ctx)
    except ValueError:
        kind.fail(f"no file can have the name {os.fspath(value)!r}.", param, ctx)


class Integer(click.IntRange):
    """An integer with bounds."""

    name = "integer"


class Number(click.FloatRange):
    """A finite number with bounds: no comparison finds NaN out of bounds, and no timer takes infinity."""

    name = "number"

    def convert(
        self,
        value: Any,  # noqa: ANN401  as in click
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Return the number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return float(number)

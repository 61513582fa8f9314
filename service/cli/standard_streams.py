"""Standard input and output, which a caller can have closed: Python has None for them then."""

import errno
import os
import sys
from io import BufferedReader
from typing import BinaryIO, TextIO, cast

import click

_OF_OUTPUT = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


def standard_input() -> BufferedReader:
    """Return standard input. Raises UsageError if it is closed."""
    if sys.stdin is None:
        raise click.UsageError("Standard input is closed: name a file.")
    return cast("BufferedReader", sys.stdin.buffer)


def standard_output() -> BinaryIO:
    """Return standard output. Raises UsageError if it is closed."""
    if sys.stdout is None:
        raise click.UsageError("Standard output is closed: name a file with --output.")
    return sys.stdout.buffer


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a standard stream is a terminal; one that is closed is not."""
    return stream is not None and stream.isatty()


def describe_failure(error: OSError) -> str | None:
    """Return a sentence about the file or the output that cannot be used; None if neither is the reason.

    An error of standard output names no file. At a closed pipe, click exits without a message.
    """
    if error.filename is not None:
        return f"{os.fspath(error.filename)!r} cannot be used: {error.strerror}."
    if error.errno in _OF_OUTPUT:
        return f"The output cannot be written: {error.strerror}."
    return None

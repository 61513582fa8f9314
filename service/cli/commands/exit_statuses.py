"""The exit statuses of commands that look whether something holds: `verify` and `doctor`."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import click

from service import logs
from service.cli.standard_streams import describe_failure
from service.errors import OperatorError, RunfoldError


class ExitStatus(IntEnum):
    """How a command exits that looks whether something holds."""

    HOLDS = 0
    BROKEN = 1
    WRONG_USAGE = 2
    COULD_NOT_LOOK = 3
    INTERRUPTED = 130


class _CouldNotLook(click.ClickException):
    """Nothing is known, because the database or a file could not be read."""

    exit_code = ExitStatus.COULD_NOT_LOOK


@contextmanager
def exit_statuses(found: object = "Nothing is known.") -> Iterator[None]:
    """Exit with COULD_NOT_LOOK or INTERRUPTED where the answer is not known: 1 means that something does not hold.

    `found` tells, as its string, what is known when the command is interrupted.
    """
    try:
        yield
    except click.UsageError:
        raise
    except click.ClickException as error:
        raise _CouldNotLook(error.format_message()) from error
    except (OperatorError, RunfoldError) as error:
        raise _CouldNotLook(logs.without_password(str(error))) from error
    except OSError as error:
        raise _CouldNotLook(describe_failure(error) or str(error)) from error
    except (KeyboardInterrupt, click.Abort):
        click.echo(f"Interrupted. {found}", err=True)
        sys.exit(ExitStatus.INTERRUPTED)
    except Exception:  # noqa: BLE001  a defect of this program says nothing of what it looks at
        traceback.print_exc()
        sys.exit(ExitStatus.COULD_NOT_LOOK)

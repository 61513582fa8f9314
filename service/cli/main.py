"""The program `runfold`. Exit status 0: success; 1: failure, or a check that did not hold; 2: wrong usage.

The commands that check have more: exit_statuses.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from service import logs
from service.cli import volume
from service.cli.environment import check_environment, settings_variables, unknown_variables, variables_of
from service.cli.loading import loading
from service.cli.standard_streams import describe_failure
from service.cli.text import in_few_words
from service.errors import OperatorError, RunfoldError

_MODULES = {
    "archive": "archive",
    "demo": "demo",
    "doctor": "doctor",
    "erase": "erase",
    "export": "export",
    "import": "import_events",
    "keys": "keys",
    "migrate": "migrate",
    "rebuild": "rebuild",
    "restore": "restore",
    "runs": "runs",
    "serve": "serve",
    "show": "show",
    "silent": "silent",
    "tail": "tail",
    "verify": "verify",
}
"""The commands, and the modules of service.cli.commands that define them. To load all of them takes half a second."""


@contextmanager
def _in_few_words() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        message = in_few_words(error.format_message())
        error.format_message = lambda: message  # type: ignore[method-assign]  # click composes some
        raise


class _Program(click.Group):
    """Reports errors that an operator can act on as one sentence, without a traceback."""

    def make_context(self, *arguments: Any, **attributes: Any) -> click.Context:  # noqa: ANN401  those of click
        """Read the arguments before the name of the command."""
        with _in_few_words():
            return super().make_context(*arguments, **attributes)

    @_in_few_words()
    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except OperatorError as error:
            raise click.ClickException(str(error)) from error
        except RunfoldError as error:
            raise click.ClickException(logs.without_password(f"{error}.")) from error
        except OSError as error:
            failure = describe_failure(error)
            if failure is None:
                raise
            raise click.ClickException(failure) from error

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click calls it so
        """Return the names of the commands."""
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, after loading its module; None if there is no such command."""
        if cmd_name in _MODULES and cmd_name not in self.commands:
            with loading():
                module = import_module(f"service.cli.commands.{_MODULES[cmd_name]}")
            self.add_command(module.command)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command and its arguments. Raises UsageError for a misspelt variable, unless help is wanted."""
        if not set(ctx.help_option_names) & set(args):
            self._check_environment()
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            # click compares the name with the commands that are loaded.
            raise click.NoSuchCommand(error.command_name, possibilities=_MODULES, ctx=ctx) from None

    def _check_environment(self) -> None:
        """Raise UsageError for a misspelt variable.

        Commands define variables besides those of Settings. They are loaded only where such a variable may be set.
        """
        known = {volume.VARIABLE, *settings_variables()}
        if unknown_variables(known):
            check_environment([*known, *variables_of(self)])


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="runfold", prog_name="runfold")
def cli() -> None:
    """Runfold records every transition of every job run in an append-only ledger."""
    logs.set_up("error")


def main() -> None:
    """Run the program."""
    cli(prog_name="runfold")

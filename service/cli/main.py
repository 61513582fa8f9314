"""The program `runfold`. Exit status 0: success; 1: failure, or a check that did not hold; 2: wrong usage."""

import os
from importlib import import_module

import click

from service import logs
from service.cli import volume
from service.cli.environment import check_environment, is_setting, variables_of
from service.errors import OperatorError, RunfoldError

_MODULES = {
    "serve": "serve",
    "demo": "demo",
    "migrate": "migrate",
    "verify": "verify",
    "export": "export",
    "rebuild": "rebuild",
    "doctor": "doctor",
    "keys": "keys",
    "import": "import_events",
    "archive": "archive",
    "restore": "restore",
    "erase": "erase",
    "runs": "runs",
    "show": "show",
    "silent": "silent",
    "tail": "tail",
}
"""The commands and their modules in service/cli/commands. To load them all takes half a second."""


class _Program(click.Group):
    """Reports errors that an operator can act on as one sentence, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except OperatorError as error:
            raise click.ClickException(str(error)) from error
        except RunfoldError as error:
            raise click.ClickException(logs.without_password(f"{error}.")) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command and its arguments. Raises UsageError for a misspelt variable, unless help is wanted."""
        resolved = super().resolve_command(ctx, args)
        if not set(ctx.help_option_names) & set(args):
            self._check_environment(resolved[1])
        return resolved

    def _check_environment(self, command: click.Command | None) -> None:
        """Raise UsageError for a misspelt variable. The other commands are loaded only where one may be theirs."""
        known = [] if command is None else [*variables_of(command), volume.VARIABLE]
        if not all(name in known for name in os.environ if is_setting(name)):
            check_environment([*variables_of(self), volume.VARIABLE])

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click calls it so
        """Return the names of the commands."""
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click calls it so
        """Load a command."""
        if cmd_name not in _MODULES:
            return None
        command: click.Command = import_module(f"service.cli.commands.{_MODULES[cmd_name]}").command
        return command


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="runfold", prog_name="runfold")
def cli() -> None:
    """Runfold records every transition of every job run in an append-only ledger."""
    logs.set_up("error")


def main() -> None:
    """Run the program."""
    cli(prog_name="runfold")

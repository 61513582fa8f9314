"""The program `runfold`. Exit status 0: success; 1: failure, or a check that did not hold; 2: wrong usage."""

import click

from service import logs
from service.cli import volume
from service.cli.commands import (
    archive,
    demo,
    doctor,
    erase,
    export,
    import_events,
    keys,
    migrate,
    rebuild,
    restore,
    runs,
    serve,
    show,
    silent,
    tail,
    verify,
)
from service.cli.environment import check_environment, variables_of
from service.errors import OperatorError, RunfoldError


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
        if not set(ctx.help_option_names) & set(args):
            check_environment([*variables_of(self), volume.VARIABLE])
        return super().resolve_command(ctx, args)


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="runfold", prog_name="runfold")
def cli() -> None:
    """Runfold records every transition of every job run in an append-only ledger."""
    logs.set_up("error")


for module in (
    serve,
    demo,
    migrate,
    verify,
    export,
    rebuild,
    doctor,
    keys,
    import_events,
    archive,
    restore,
    erase,
    runs,
    show,
    silent,
    tail,
):
    cli.add_command(module.command)


def main() -> None:
    """Run the program."""
    cli(prog_name="runfold")

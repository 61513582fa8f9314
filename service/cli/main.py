"""The program `runfold`. Exit status 0: success; 1: failure, or a check that did not hold; 2: wrong usage."""

import click

from service import logs
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
    serve,
    verify,
)
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


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="runfold", prog_name="runfold")
def cli() -> None:
    """Runfold records every transition of every job run in an append-only ledger."""
    logs.set_up("error")


for module in (serve, demo, migrate, verify, export, rebuild, doctor, keys, import_events, archive, restore, erase):
    cli.add_command(module.command)


def main() -> None:
    """Run the program: the entry point of `runfold` and of `python -m service`."""
    cli(prog_name="runfold")

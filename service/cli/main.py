"""The program `runfold`. Exit status 0: done, 1: the answer is no, 2: used wrongly."""

import click

from service import logs
from service.cli.commands import (
    archive,
    demo,
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
from service.errors import DatabaseUnavailable, OperatorError


class _Program(click.Group):
    """Says what an operator can do something about in a sentence, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except DatabaseUnavailable as error:
            told = f"The database cannot be used: {error}"
            raise click.ClickException(logs.without_password(told)) from error
        except OperatorError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="runfold", prog_name="runfold")
def cli() -> None:
    """Runfold remembers every transition of every job run."""
    logs.set_up("error")


for part in (serve, demo, migrate, verify, export, rebuild, keys, import_events, archive, restore, erase):
    cli.add_command(part.command)


def main() -> None:
    """Run the program; `runfold` and `python -m service` come here."""
    cli(prog_name="runfold")

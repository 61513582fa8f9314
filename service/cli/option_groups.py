"""Help with the options of a command in groups, in the order of the groups."""

from collections.abc import Mapping
from typing import Any

import click

OTHERS = "Other options"


class GroupedCommand(click.Command):
    """A command whose help shows its options in groups: titles, and the names of the parameters below each."""

    def __init__(self, *arguments: Any, groups: Mapping[str, tuple[str, ...]], **attributes: Any) -> None:  # noqa: ANN401
        """Take the groups, and what click.Command takes."""
        super().__init__(*arguments, **attributes)
        self.groups = groups

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each group, then the options that are in none."""
        records = {
            parameter.name: record
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)) is not None
        }
        for title, names in self.groups.items():
            with formatter.section(title):
                formatter.write_dl([records.pop(name) for name in names])
        if records:
            with formatter.section(OTHERS):
                formatter.write_dl(list(records.values()))

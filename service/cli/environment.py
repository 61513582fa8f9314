"""The environment variables RUNFOLD_…: those of the options, those of Kubernetes, and misspelt ones."""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import click
from click.core import ParameterSource

from service.cli.parameter_types import EMPTY
from service.settings import Settings

_PREFIX = "RUNFOLD_"

_RENAMED = {"RUNFOLD_FOLDING": "RUNFOLD_PROJECTOR, with the values process and inline"}
"""Variables of earlier versions, and what replaces them."""

_OF_KUBERNETES = re.compile(r"\w*(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_KUBERNETES_URL = re.compile(r"(tcp|udp|sctp)://")


def is_from_kubernetes(name: str, value: str) -> bool:
    """Return whether Kubernetes sets this variable in pods beside a Service whose name begins with runfold.

    https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
    """
    return _OF_KUBERNETES.fullmatch(name) is not None or (
        name.endswith("_PORT") and _KUBERNETES_URL.match(value) is not None
    )


def settings_variables() -> frozenset[str]:
    """Return the variables of the fields of Settings; each is an option of a command."""
    return frozenset(f"{_PREFIX}{field.upper()}" for field in Settings.__dataclass_fields__)


def unknown_variables(known: Collection[str]) -> list[str]:
    """Return the variables RUNFOLD_… that are set, but are not among `known`, nor from Kubernetes."""
    return sorted(
        name
        for name, value in os.environ.items()
        if name.startswith(_PREFIX) and name not in known and not is_from_kubernetes(name, value)
    )


def check_environment(known: Iterable[str]) -> None:
    """Raise UsageError if a variable RUNFOLD_… is not one of `known`: a misspelt setting must not be ignored."""
    names = set(known)
    for name in unknown_variables(names):
        if name in _RENAMED:
            raise click.UsageError(f"The environment variable {name} was replaced by {_RENAMED[name]}.")
        settings = [known_name.removeprefix(_PREFIX) for known_name in names if known_name.startswith(_PREFIX)]
        similar = get_close_matches(name.removeprefix(_PREFIX), settings, n=1)
        remedy = f"did you mean {_PREFIX}{similar[0]}?" if similar else f"the settings are {', '.join(sorted(names))}."
        raise click.UsageError(f"There is no setting for the environment variable {name}; {remedy}")


def variables_of(command: click.Command) -> Iterator[str]:
    """Yield the environment variables of the options of a command and of its subcommands."""
    for parameter in command.params:
        if parameter.envvar:
            yield from [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar
    for subcommand in subcommands_of(command):
        yield from variables_of(subcommand)


def subcommands_of(command: click.Command) -> Iterator[click.Command]:
    """Yield the subcommands of a group, loading them where they are not; none of another command."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            if subcommand is not None:
                yield subcommand


class SettingOption(click.Option):
    """An option with environment variables. Those that Kubernetes sets for a Service count as not set."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the first variable that is set and not empty, or None."""
        names = [self.envvar] if isinstance(self.envvar, str) else list(self.envvar or ())
        values = {name: os.environ.get(name, "") for name in names}
        if any(is_from_kubernetes(name, value) for name, value in values.items()):
            return None
        return super().resolve_envvar_value(ctx)


class RequiredTextOption(SettingOption):
    """An option whose variables must not be empty: without a value, another database would be used."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the first variable that is set. Raises BadParameter if it is empty."""
        names = [self.envvar] if isinstance(self.envvar, str) else list(self.envvar or ())
        for name in names:
            if os.environ.get(name, "x").strip() == "":
                raise click.BadParameter(
                    f"the environment variable {name} is set, but empty; give it a value, or unset it.", ctx, self
                )
        return super().resolve_envvar_value(ctx)

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        """Return the value and its source. Raises BadParameter for an empty value on the command line."""
        if opts.get(self.name or "") == "":
            raise click.BadParameter(EMPTY, ctx, self)
        return super().consume_value(ctx, opts)

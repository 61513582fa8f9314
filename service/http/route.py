"""Describes a route once: the router, authentication, parameters and /openapi.json are made from it.

Each module of service/http/handlers declares ROUTES beside its handlers; service/http/routes.py puts them in order.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, NamedTuple, TypeVar

from aiohttp import web
from msgspec import Struct
from multidict import MultiMapping

from service.auth.keys import Scope, ScopeName
from service.domain.binding import Binding
from service.errors import (
    Forbidden,
    Malformed,
    RateLimited,
    RunfoldError,
    TooLarge,
    TooSlow,
    Unauthenticated,
    Unavailable,
    UnsupportedType,
)
from service.http.parameters import Location, Parameter

T = TypeVar("T")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SEGMENT = re.compile(r"{(\w+)}")
_SHOWN = 64


class Tag(StrEnum):
    """Groups operations in /docs, in this order."""

    RUNS = "Runs"
    JOBS = "Jobs"
    DATASETS = "Datasets"
    LINEAGE = "Lineage"
    NAMESPACES = "Namespaces"
    OPENLINEAGE = "OpenLineage"
    SEARCH = "Search and statistics"
    LEDGER = "Ledger"
    SERVICE = "Service"


class Reach(Enum):
    """What a route may tell or change, as far as API keys are concerned that are bound to namespaces."""

    NO_DATA = "nothing that was recorded"
    WITHIN = "what belongs to namespaces: its handler restricts it to those of the key (permissions.py)"
    ALL = "something about all namespaces together: bound keys are refused"


@dataclass(frozen=True, slots=True)
class Body:
    """The body that a route reads: its type, and whether it is an array of that type."""

    type: type[Struct]
    required: bool = True
    array: bool = False
    media_types: tuple[str, ...] = ("application/json",)


@dataclass(frozen=True, slots=True)
class ArrayOf:
    """The type of an answer that is a JSON array."""

    type: type[Struct]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Route:
    """An operation of the API.

    `answers` has for each status of success the type of the JSON body, another media type, or None for no body.
    `reach` has no default: the author of a route decides what bound keys get of it.
    `headers` describes headers of answers by status and name. `errors` are the errors besides those of `all_errors`.
    `long_lasting`: a request may last as long as its caller likes, so it is cut off when its API key is revoked.
    `any_query`: the query is for the script of the page that is answered, and is not checked.
    """

    method: str
    path: str
    handler: Handler
    scope: Scope
    reach: Reach
    tag: Tag
    summary: str
    answers: Mapping[int, type[Struct] | ArrayOf | str | None]
    description: str = ""
    parameters: tuple[Parameter[Any], ...] = ()
    body: Body | None = None
    errors: tuple[type[RunfoldError], ...] = ()
    headers: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    long_lasting: bool = False
    any_query: bool = False

    @property
    def pattern(self) -> str:
        """The path as aiohttp's router takes it.

        aiohttp's own pattern for a segment excludes braces; names may hold any character.
        """
        return _SEGMENT.sub(r"{\1:[^/]+}", self.path)

    @property
    def path_parameters(self) -> list[str]:
        """The names in braces."""
        return _SEGMENT.findall(self.path)

    @property
    def all_errors(self) -> tuple[type[RunfoldError], ...]:
        """The errors that the route may answer.

        Every route refuses unknown parameters, and a route that needs an API key needs the database to check it. Each
        API key may have a limit.
        """
        access = () if self.scope is Scope.OPEN else (Unauthenticated, Forbidden, RateLimited, Unavailable)
        reading = () if self.body is None else (TooSlow, TooLarge, UnsupportedType)
        return (Malformed, *access, *reading, *self.errors)

    def check_query(self, query: MultiMapping[str]) -> None:
        """Raise Malformed for a query with a parameter that the route does not take, or that is given too often.

        A misspelt filter would answer with everything, and a misspelt time would be recorded as now, for ever.
        """
        if self.any_query:
            return
        known = {parameter.name: parameter for parameter in self.parameters if parameter.location is Location.QUERY}
        unknown = sorted(set(query) - set(known))
        if unknown:
            taken = f"these are: {', '.join(known)}" if known else "this route takes none"
            raise Malformed(f"there is no parameter {unknown[0][:_SHOWN]!a} here; {taken}")
        for name in set(query):
            known[name].check_count(len(query.getall(name)))


class Context(NamedTuple):
    """The route of a request, and the name, the binding and the scope of its API key; None where none is needed.

    The binding is None, too, where the key is for all namespaces.
    """

    route: Route
    actor: str | None = None
    binding: Binding | None = None
    scope: ScopeName | None = None


CONTEXT: web.RequestKey[Context] = web.RequestKey("context", Context)

ROUTE_TABLE: web.AppKey[tuple[Route, ...]] = web.AppKey("routes", tuple)
"""The described routes of an application."""


class RequestParameters:
    """The values of the parameters that a route declares, each read from the request when it is accessed."""

    __slots__ = ("_request", "_route")

    def __init__(self, request: web.Request, route: Route) -> None:
        """Take the request and its route."""
        self._request = request
        self._route = route

    def __getitem__(self, parameter: Parameter[T]) -> T:
        """Return a value. Raises Malformed, Invalid, and LookupError for a parameter that the route does not take."""
        if parameter not in self._route.parameters:
            raise LookupError(f"{self._route.method} {self._route.path} does not declare parameter {parameter.name}")
        return parameter.read(self._request)


def parameters_of(request: web.Request) -> RequestParameters:
    """Return the parameters of a request."""
    return RequestParameters(request, request[CONTEXT].route)

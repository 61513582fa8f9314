"""What an API key may see and record that is bound to namespaces; service/domain/binding.py decides.

A key that is not bound has the binding None, and may see and record everything. What a bound key may not see does not
exist for it: it is answered as if it had never been recorded. What it may not record is refused by the names in the
request alone, whatever exists; only the id of a run that exists elsewhere cannot be refused without telling that.
"""

from __future__ import annotations

from typing import TypeVar

from aiohttp import web

from service.domain.binding import Binding
from service.domain.decisions import Create, Transition, Within
from service.domain.run import RunRegisters
from service.errors import OutsideNamespaces
from service.http.route import CONTEXT
from service.ledger.drafts import Caller
from service.not_found import NamespaceNotFound

C = TypeVar("C", Create, Transition)


def binding_of(request: web.Request) -> Binding | None:
    """Return the binding of the API key of a request."""
    return request[CONTEXT].binding


def visible(binding: Binding | None, run: RunRegisters | None) -> RunRegisters | None:
    """Return a run; None where there is none that the key may see."""
    return run if binding is None or run is None or binding.may_see(run) else None


def check_read(binding: Binding | None, namespace: str) -> None:
    """Raise NamespaceNotFound for a namespace that the key may not see."""
    if binding is not None and not binding.allows(namespace):
        raise NamespaceNotFound(namespace)


def check_write(caller: Caller, namespace: str) -> None:
    """Raise OutsideNamespaces for a namespace in which the caller's key may not record anything."""
    if caller.binding is not None and not caller.binding.allows(namespace):
        raise OutsideNamespaces(f"API key {caller.actor} is bound to {caller.binding}; this namespace is another")


def restricted(caller: Caller, command: C) -> C | Within:
    """Return a command on a run that decides OUTSIDE for a run that the caller's key may not see."""
    return command if caller.binding is None else Within(command, caller.binding)

"""Defines the namespace `default` when the service starts on a new ledger, as Marquez does."""

import logging

from service.domain import timestamps
from service.domain.decisions import DefineNamespaceOnce
from service.domain.draft import namespace_target
from service.errors import Unavailable
from service.ledger import drafts
from service.ledger.appender import Appender
from service.payloads.contents import namespace_content
from service.payloads.json_writer import dump
from service.payloads.schemas import PutNamespace

_NAME = "default"
_DEFAULT = PutNamespace(
    ownerName="anonymous",
    description="The default global namespace for dataset, job, and run metadata not belonging to a "
    "user-specified namespace.",
)

_log = logging.getLogger(__name__)


async def define_default(appender: Appender) -> None:
    """Define the namespace unless it was ever defined or deleted. Of several processes that start, one records it."""
    at = timestamps.now()
    body = dump({"ownerName": _DEFAULT.ownerName, "description": _DEFAULT.description})
    # The same fact in every process: with the command's expected position, a second guard against two definitions.
    fact = drafts.short_digest("the default namespace")
    decoded = namespace_content(_DEFAULT, at, fact)
    draft = drafts.definition(namespace_target(_NAME), at, body, decoded, drafts.Caller())
    try:
        await appender.command(draft, DefineNamespaceOnce())
    except Unavailable as error:
        _log.warning("the namespace %s could not be defined; the next start will try: %s", _NAME, error)

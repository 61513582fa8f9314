"""The decoded payload of an event."""

from __future__ import annotations

from typing import NamedTuple

from service.domain.event import NO_CONTENT, Content
from service.domain.job import JobDefinition
from service.domain.namespace import NamespaceDefinition


class PayloadContent(NamedTuple):
    """What an event's payload says, read once."""

    content: Content
    definition: JobDefinition | NamespaceDefinition | None = None


EMPTY_PAYLOAD = PayloadContent(NO_CONTENT)

"""The decoded payload of an event."""

from __future__ import annotations

from typing import NamedTuple

from service.domain.event import NO_CONTENT, Content
from service.domain.job import JobDefinition
from service.domain.namespace import NamespaceDefinition


class PayloadContent(NamedTuple):
    """The decoded payload of an event: its content, and the definition where it defines a job or a namespace."""

    content: Content
    definition: JobDefinition | NamespaceDefinition | None = None


EMPTY_PAYLOAD = PayloadContent(NO_CONTENT)

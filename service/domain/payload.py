"""The decoded payload of an event."""

from __future__ import annotations

from typing import NamedTuple

from service.domain.event import NO_CONTENT, Content
from service.domain.job import JobDefinition
from service.domain.namespace import NamespaceDefinition
from service.domain.silence import SilentAfter


class PayloadContent(NamedTuple):
    """The decoded payload of an event: its content, and the definition where it defines a job or a namespace.

    `silent_after`: the setting, where a definition has one.
    """

    content: Content
    definition: JobDefinition | NamespaceDefinition | None = None
    silent_after: SilentAfter | None = None


EMPTY_PAYLOAD = PayloadContent(NO_CONTENT)

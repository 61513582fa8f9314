"""The decoded payload of an event."""

from __future__ import annotations

from typing import NamedTuple

from service.domain.dataset_definitions import DatasetDefinition, SourceDefinition, TagDefinition
from service.domain.event import NO_CONTENT, Content, DatasetName
from service.domain.job import JobDefinition
from service.domain.namespace import NamespaceDefinition
from service.domain.silence import SilentAfter
from service.domain.tags import TagChange

Definition = JobDefinition | NamespaceDefinition | DatasetDefinition | SourceDefinition | TagDefinition


class PayloadContent(NamedTuple):
    """The decoded payload of an event: its content, and the definition where it defines something.

    `silent_after`: the setting, where a definition has one. `tags`: what the event adds and removes. `dataset`: the one
    that a command is about, since no column of the ledger holds its name.
    """

    content: Content
    definition: Definition | None = None
    silent_after: SilentAfter | None = None
    tags: tuple[TagChange, ...] = ()
    dataset: DatasetName | None = None


EMPTY_PAYLOAD = PayloadContent(NO_CONTENT)

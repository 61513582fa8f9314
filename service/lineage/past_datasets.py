"""Reads what a dataset was: as it was known at a position of the ledger, or as it stood at a time.

Facets and descriptions that were replaced are in no table. They are in the payloads of events, of which the last ones
before the moment are read. What the registers have now counts, too, where it had been told before the moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from service.catalog.batches import Pauses
from service.catalog.queries import PAGE_BYTES
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.binding import Binding
from service.domain.dataset import DatasetRegisters, merge_aliases, merge_datasets
from service.domain.dataset_versions import VersionContent
from service.domain.registers import FirstSeen, StampedFacet, StampedText
from service.ledger.events import LOG
from service.ledger.rows import event_of
from service.lineage.datasets import DatasetItem, empty_version
from service.lineage.past_graph import PastMoment
from service.lineage.projection import PageProjection
from service.lineage.versions_at import version_contents, versions_at

EVENTS_OF_ROLE = 8
"""Events of a dataset that are looked at: those that write it last before the moment, those that read it, and so on."""

_ROLES = load_text("dataset_roles")
_BOUNDS, _LAST = load("past_dataset_bounds", roles=_ROLES), load("past_dataset_events", roles=_ROLES)
_PAYLOADS = load("lineage_payloads")


class PastDataset(NamedTuple):
    """A dataset at a moment. `registers`: without fields and tags, which are those of the version, and not known."""

    registers: DatasetRegisters
    version: UUID
    content: VersionContent


class PastDatasets:
    """Reads datasets at a moment. Every method raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def read(self, item: DatasetItem, moment: PastMoment, binding: Binding | None) -> PastDataset | None:
        """Return a dataset as it was at a moment; None where no event had named it yet."""
        shown, at = item.ids[0], moment.bound
        told_versions = await versions_at(self._connections, [(shown, at)], binding, moment.position)
        only = empty_version(item.registers)
        version = told_versions.get((shown, at), only.id)
        contents = await version_contents(self._connections, [(shown, version)], binding)
        content = contents.get((shown, version), only.content)
        created = _created_at(item.registers)
        where = (list(item.ids), at, moment.position)
        times = {created, content.at, *_times_of(item.registers)}
        (row,) = await self._connections.fetch(_BOUNDS, *where, list(times))
        if row["first_at"] is None:
            return None
        known = set(row["known"])
        base = _told_at(item.registers, known)
        if content.at in known:
            told = _registers_of(content, base, writes=content.at in row["written"])
            base = merge_datasets(base, told)
        told = await self._replayed(base, where)
        first = created if created in known else row["first_at"]
        return PastDataset(
            told._replace(first_seen=FirstSeen(implied=True, at=first), updated_at=row["last_at"]), version, content
        )

    async def _replayed(self, base: DatasetRegisters, where: Sequence[Any]) -> DatasetRegisters:
        """Return what the last events up to the moment tell, as far as their payloads are there."""
        ids = where[0]
        rows = await self._connections.fetch(_LAST, LOG, *where, EVENTS_OF_ROLE)
        positions = list(dict.fromkeys(row["position"] for row in rows))
        found = await self._connections.fetch(_PAYLOADS, LOG, positions, PAGE_BYTES) if positions else []
        bodies = {row["position"]: row["body"] for row in found}
        events = {row["position"]: event_of(row) for row in rows if row["position"] in bodies}
        page, pauses = PageProjection(), Pauses()
        for position in sorted(events):
            page.add(events[position], bodies[position])
            await pauses.pause()
        datasets = page.changes().datasets
        return merge_aliases(base, [datasets[id_] for id_ in ids if id_ in datasets])


def _created_at(dataset: DatasetRegisters) -> datetime:
    return dataset.updated_at if dataset.first_seen is None else dataset.first_seen.at


def _times_of(now: DatasetRegisters) -> set[datetime]:
    """Return the times of the events that told what is known now."""
    stamped = (now.definition, now.description, *now.facets.values(), *now.read_facets.values())
    times = {each.at for each in stamped if each is not None}
    return times | {at for at in (now.written_at, now.dropped_at) if at is not None}


def _told_at(now: DatasetRegisters, times: set[datetime]) -> DatasetRegisters:
    """Return what is known now and was told at some times."""
    return DatasetRegisters(
        now.namespace,
        now.name,
        definition=now.definition if now.definition is not None and now.definition.at in times else None,
        facets={name: facet for name, facet in now.facets.items() if facet.at in times},
        read_facets={name: facet for name, facet in now.read_facets.items() if facet.at in times},
        description=now.description if now.description is not None and now.description.at in times else None,
        written_at=now.written_at if now.written_at in times else None,
        dropped_at=now.dropped_at if now.dropped_at in times else None,
    )


def _registers_of(content: VersionContent, dataset: DatasetRegisters, *, writes: bool) -> DatasetRegisters:
    """Return what the earliest event tells that tells a version; `writes`: it writes or defines the dataset."""
    stamp = content.at, content.digest
    facets = {name: StampedFacet(*stamp, value, content.phase) for name, value in content.facets.items()}
    described = None
    if content.description is not None and "documentation" not in facets:
        described = StampedText(*stamp, content.description, content.phase)
    told = DatasetRegisters(dataset.namespace, dataset.name, description=described)
    return told._replace(facets=facets) if writes else told._replace(read_facets=facets)

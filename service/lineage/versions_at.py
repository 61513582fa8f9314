"""Reads versions of datasets: those that were told last until a time, and what versions are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from service.catalog.queries import PAGE_BYTES, condition, load_page
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.binding import Binding
from service.domain.dataset_versions import VersionContent
from service.ledger.events import LOG
from service.lineage.graph_statements import ANY_POSITION, Parts
from service.lineage.stored import unpack_version

_TOLD_ORDER = load_text("told_order", log=str(LOG), position="t.position")


def _last_telling(dataset: str, position: str) -> str:
    """Return the query of the version that was told last of a dataset up to the time w.at and a position."""
    return load_text("last_telling", dataset_id=dataset, at="w.at", position=position, told_order=_TOLD_ORDER)


_TELLING = _last_telling("a.id", ":position")
_AT = {
    bound: load("versions_at", names=Parts(bound).seen_names("w.id"), last_telling=_TELLING, told_order=_TOLD_ORDER)
    for bound in (False, True)
}
_CONTENTS = {bound: load_page("version_contents", names=Parts(bound).seen_names("w.id")) for bound in (False, True)}

_OF_NAME = _last_telling("w.id", str(ANY_POSITION))
UNTIL, TOLD = load("versions_until", last_telling=_OF_NAME), load("told_versions", last_telling=_OF_NAME)
"""Statements of the version that was told last under a name until a time, and of that which was told at a time."""

DatasetMoment = tuple[UUID, datetime]
"""The id of a dataset, under which the graph has it, and a time."""


async def versions_at(
    connections: Connections,
    moments: Collection[DatasetMoment],
    binding: Binding | None,
    position: int = ANY_POSITION,
) -> Mapping[DatasetMoment, UUID]:
    """Return the version of each dataset that was told last until a time, as is known at a position of the ledger.

    There is none for datasets of which no version was told until then.
    """
    if not moments:
        return {}
    ids, ats = [id_ for id_, _ in moments], [at for _, at in moments]
    rows = await connections.fetch(_AT[binding is not None], ids, ats, position, *condition(binding))
    return {(row["id"], row["at"]): row["version"] for row in rows}


async def version_contents(
    connections: Connections, versions: Collection[tuple[UUID, UUID]], binding: Binding | None
) -> Mapping[tuple[UUID, UUID], VersionContent]:
    """Return versions by the ids of their datasets and their own: as many as there is space for in an answer."""
    if not versions:
        return {}
    ids, wanted = [id_ for id_, _ in versions], [version for _, version in versions]
    rows = await connections.fetch(_CONTENTS[binding is not None], ids, wanted, *condition(binding), PAGE_BYTES)
    return {(row["id"], row["version"]): unpack_version(row["registers"]) for row in rows}

"""Which of the names of a dataset is the primary one. Pure.

Names that are linked, directly or through others, are one dataset. Its primary name is the one with the smallest claim.
Claims only become smaller and links only come, so to find the smallest it is enough to compare the primary names that
were known with the names that a page touches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from service.domain.dataset import Claim


class Primaries(NamedTuple):
    """The primary name of each name that was given, and the changes: the former primary names with the new ones.

    `shared`: the primary names of datasets that have several; all of these tell of other names themselves.
    """

    primary: dict[UUID, UUID]
    moved: dict[UUID, UUID]
    shared: set[UUID]


def find_primaries(
    claims: Mapping[UUID, Claim], before: Mapping[UUID, UUID], links: Iterable[tuple[UUID, UUID]]
) -> Primaries:
    """Return the primary names.

    `claims`: those of the names that a page touches, and of their former primary names. `before`: the former primary
    name of each of these that is known. `links`: pairs of names that the page links.
    """
    parents: dict[UUID, UUID] = {}

    def root(name: UUID) -> UUID:
        while (parent := parents.get(name, name)) != name:
            parents[name] = parents.get(parent, parent)
            name = parent
        return name

    for one, other in (*before.items(), *links):
        parents[root(one)] = root(other)
    best: dict[UUID, UUID] = {}
    sizes: dict[UUID, int] = {}
    for name, claim in claims.items():
        group = root(name)
        sizes[group] = sizes.get(group, 0) + 1
        if group not in best or claim < claims[best[group]]:
            best[group] = name
    primary = {name: best[root(name)] for name in claims}
    moved = {former: primary[former] for former in set(before.values()) if primary[former] != former}
    shared = {name for group, name in best.items() if sizes[group] > 1 or not claims[name].is_alias_only}
    return Primaries(primary, moved, shared)

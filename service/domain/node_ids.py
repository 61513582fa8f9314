"""The ids of the nodes of a lineage graph, as Marquez writes them.

    job:NAMESPACE:NAME    dataset:NAMESPACE:NAME    datasetField:NAMESPACE:DATASET:FIELD

A field's id may end in `#VERSION`, the UUID of a version of its dataset. Names may contain any character, also colons,
so where one ends cannot be told from an id alone: reading returns all possible names, and what exists decides. Names
that a client percent-encodes are found, too.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import accumulate, islice, pairwise
from typing import NamedTuple
from urllib.parse import unquote
from uuid import UUID

from service.domain.event import DatasetName, JobName


class NodeKind(StrEnum):
    """What a node is."""

    JOB = "job"
    DATASET = "dataset"
    FIELD = "datasetField"


FORMS = {
    NodeKind.JOB: "job:NAMESPACE:NAME",
    NodeKind.DATASET: "dataset:NAMESPACE:NAME",
    NodeKind.FIELD: "datasetField:NAMESPACE:DATASET:FIELD",
}
"""How ids of each kind look."""

_PARTS = {NodeKind.JOB: 2, NodeKind.DATASET: 2, NodeKind.FIELD: 3}

_SCHEME = re.compile(r"[^:]+://[^:]*(?::\d+)?(?=:)")
"""The namespace of a storage or a database server, with its port: it is tried first."""

_VERSION = re.compile(r"(.*)#([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})", re.DOTALL)


_MAX_READINGS = 20_000
"""Most ways that are tried to read the id of a field: there are as many where it has 200 colons."""

_MAX_CHARACTERS = 8 * 1024 * 1024
"""Characters of all names in these ways after which no further one is tried: ids may have thousands of colons."""


class NodeText(NamedTuple):
    """The kind of a node, and its names, which colons separate."""

    kind: NodeKind
    names: str


class Split(NamedTuple):
    """A namespace and a name, as an id may be read, and what follows them: a field; empty where nothing does."""

    namespace: str
    name: str
    rest: str = ""


def job_node(job: JobName) -> str:
    """Return the id of a job."""
    return f"job:{job.namespace}:{job.name}"


def dataset_node(dataset: DatasetName) -> str:
    """Return the id of a dataset."""
    return f"dataset:{dataset.namespace}:{dataset.name}"


def field_node(dataset: DatasetName, field: str, version: UUID | None = None) -> str:
    """Return the id of a field; with a version, of the field in that version of the dataset."""
    written = f"datasetField:{dataset.namespace}:{dataset.name}:{field}"
    return written if version is None else f"{written}#{version}"


def parse_node_id(text: str, kinds: tuple[NodeKind, ...]) -> NodeText:
    """Return the parts of the id of a node of one of these kinds. Raises ValueError with what an id looks like."""
    prefix, _, names = text.partition(":")
    for kind in kinds:
        if prefix == kind and _has_parts(names, _PARTS[kind]):
            return NodeText(kind, names)
    raise ValueError(f"the id of a node looks like {' or '.join(FORMS[kind] for kind in kinds)}")


def _has_parts(names: str, count: int) -> bool:
    """Whether a text can be split at colons into as many names, none of them empty."""
    return re.fullmatch(":".join(["(?s:.+)"] * count), names) is not None


def split_version(names: str) -> tuple[str, UUID | None]:
    """Return names without the version behind them, and the version; None where there is none."""
    found = _VERSION.fullmatch(names)
    return (names, None) if found is None else (found[1], UUID(found[2]))


def splits(names: str) -> Iterator[Split]:
    """Yield all ways to read two names, the likeliest one first; those that are percent-encoded last.

    Where several exist, the first one is meant.
    """
    return _readings(names, lambda: ((end,) for end in _ends(names, _colons(names), 0)))


def field_splits(names: str) -> Iterator[Split]:
    """Yield all ways to read the names of a dataset and a field: as `splits`."""

    def found() -> Iterator[tuple[int, ...]]:
        colons = _colons(names)
        for end in _ends(names, colons, 0):
            yield from ((end, second) for second in _ends(names, colons, end + 1))

    return _readings(names, found)


def _colons(names: str) -> list[int]:
    return [found.start() for found in re.finditer(":", names)]


def _ends(names: str, colons: Sequence[int], begin: int) -> Iterator[int]:
    """Yield the colons at which the name may end that begins at an index, the likeliest first."""
    scheme = _SCHEME.match(names, begin)
    first = scheme.end() if scheme is not None and scheme.end() < len(names) - 1 else None
    if first is not None:
        yield first
    for colon in islice(colons, bisect_right(colons, begin), None):
        if colon < len(names) - 1 and colon != first:
            yield colon


def _readings(names: str, find: Callable[[], Iterator[tuple[int, ...]]]) -> Iterator[Split]:
    """Yield what the names between colons are, then what they are where they are percent-encoded."""
    count = max(1, min(_MAX_READINGS, _MAX_CHARACTERS // len(names)))
    for colons in islice(find(), count):
        yield _split_at(names, colons)
    if "%" not in names:
        return
    parts = [unquote(part) for part in names.split(":")]
    decoded = ":".join(parts)
    if decoded != names:
        colon_ends = accumulate(len(part) + 1 for part in parts)
        moved = {colon: end - 1 for colon, end in zip(_colons(names), colon_ends, strict=False)}
        for colons in islice(find(), count):
            yield _split_at(decoded, [moved[colon] for colon in colons])


def _split_at(names: str, colons: Sequence[int]) -> Split:
    bounds = (-1, *colons, len(names))
    return Split(*(names[begin + 1 : end] for begin, end in pairwise(bounds)))

"""Decodes what OpenLineage events tell of datasets: names, facets, versions.

Facets of datasets and jobs are mostly the same bytes in one event after the other, so what they tell is remembered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from service.domain.dataset import NO_FACTS, DatasetFacts
from service.domain.dataset_versions import version_told_by
from service.domain.event import DatasetName, make_tuple
from service.domain.tags import TagChange
from service.payloads import raw_json
from service.payloads.dataset_facets import description_of, facets_in, location_of, read_facts, tags_of
from service.payloads.event_slices import MAX_DATASETS, is_usable_name
from service.payloads.openlineage_errors import event_type

T = TypeVar("T")

_log = logging.getLogger(__name__)

_NUL = "\\u0000"
_REMEMBERED_BYTES = 4 * 1024 * 1024
"""Bytes of facets, as received, that a generation remembers, of datasets and of jobs. The objects that they make take
some ten times as much."""

_LONGEST_REMEMBERED = 64 * 1024
_VERSION_BYTES = 50
"""Of a version that is remembered, compared with bytes of facets."""

_NO_FACETS: Mapping[str, bytes | None] = {}


class ToldDataset(NamedTuple):
    """A dataset as an event tells it. `version`: None where it tells no schema.

    `facets`: inputFacets of an input, outputFacets of an output.
    """

    name: DatasetName
    facts: DatasetFacts = NO_FACTS
    version: UUID | None = None
    facets: Mapping[str, bytes | None] = {}


class LineageContent(NamedTuple):
    """What an OpenLineage event tells of datasets, and of its job. `dataset`: of a DatasetEvent."""

    inputs: tuple[ToldDataset, ...] = ()
    outputs: tuple[ToldDataset, ...] = ()
    dataset: ToldDataset | None = None
    location: str | None = None
    description: str | None = None
    job_tags: tuple[TagChange, ...] = ()
    starts: bool = False


NO_LINEAGE = LineageContent()
_SILENT = (NO_FACTS, None, _NO_FACETS)
_NO_RAW = Raw()
_START = "START"


class _Dataset(Struct):
    namespace: str
    name: str
    facets: Raw = _NO_RAW
    inputFacets: Raw = _NO_RAW  # noqa: N815
    outputFacets: Raw = _NO_RAW  # noqa: N815


class _Job(Struct):
    facets: Raw = _NO_RAW


class _Event(Struct):
    eventType: str | None = None  # noqa: N815
    job: _Job | None = None
    inputs: list[_Dataset] | None = None
    outputs: list[_Dataset] | None = None
    dataset: _Dataset | None = None


_decode = msgspec.json.Decoder(_Event).decode


def read_lineage(payload: str, position: int) -> LineageContent:
    """Return what the OpenLineage event at a position tells; what cannot be used is left out."""
    try:
        event = _decode(payload) if _NUL not in payload else _by_slices(payload)
    except msgspec.DecodeError:
        try:
            event = _by_slices(payload)
        except (ValueError, RecursionError):
            _log.exception("the datasets of the event at position %d cannot be read; they are ignored", position)
            return NO_LINEAGE
    location, description, tags = _of_job(event.job)
    return make_tuple(
        LineageContent,
        (
            tuple([_told(each, each.inputFacets) for each in event.inputs or () if each.namespace and each.name]),
            tuple([_told(each, each.outputFacets) for each in event.outputs or () if each.namespace and each.name]),
            None if event.dataset is None or not event.dataset.name else _told(event.dataset, _NO_RAW),
            location,
            description,
            tags,
            event_type(event.eventType) == _START,
        ),
    )


def _told(dataset: _Dataset, of_run: Raw) -> ToldDataset:
    name = make_tuple(DatasetName, (dataset.namespace, dataset.name))
    told = _tell(name, bytes(dataset.facets)) if dataset.facets else make_tuple(ToldDataset, (name, *_SILENT))
    return told._replace(facets=facets_in(bytes(of_run))) if of_run else told


_OfJob = tuple[str | None, str | None, tuple[TagChange, ...]]
_NOTHING_OF_JOB: _OfJob = (None, None, ())


def _of_job(job: _Job | None) -> _OfJob:
    """Return the location of a job's code, its description, and its tags, as its facets tell them."""
    return _NOTHING_OF_JOB if job is None or not job.facets else _OF_JOBS.read(bytes(job.facets))


def _read_job(raw: bytes) -> _OfJob:
    facets = facets_in(raw)
    location, documentation, tags = (facets.get(name) for name in ("sourceCodeLocation", "documentation", "tags"))
    return (
        location_of(location) if location else None,
        description_of(documentation) if documentation else None,
        tuple(tags_of(tags)) if tags else (),
    )


class _Known:
    """What some facets tell, and the versions of datasets that they make."""

    __slots__ = ("facts", "versions")

    def __init__(self, raw: bytes) -> None:
        facets = facets_in(raw)
        self.facts = read_facts(facets) if facets else NO_FACTS
        self.versions: dict[DatasetName, UUID | None] = {}


class _Remembered(Generic[T]):
    """What facets tell, by their bytes: of two generations."""

    def __init__(self, read: Callable[[bytes], T]) -> None:
        """Take the function that reads what is not remembered."""
        self._read = read
        self._young: dict[bytes, T] = {}
        self._old: dict[bytes, T] = {}
        self._size = 0

    def read(self, raw: bytes) -> T:
        """Return what facets tell."""
        known = self._young.get(raw)
        if known is None:
            known = self._old.get(raw) or self._read(raw)
            if len(raw) <= _LONGEST_REMEMBERED:
                self.grow(len(raw))
                self._young[raw] = known
        return known

    def grow(self, size: int) -> None:
        """Count bytes, also of what is added to something that is remembered."""
        self._size += size
        if self._size > _REMEMBERED_BYTES:
            self._old, self._young, self._size = self._young, {}, 0


_OF_DATASETS, _OF_JOBS = _Remembered(_Known), _Remembered(_read_job)


def _tell(name: DatasetName, raw: bytes) -> ToldDataset:
    """Return a dataset with these facets."""
    known = _OF_DATASETS.read(raw)
    facts = known.facts
    if facts.fields is None:
        return make_tuple(ToldDataset, (name, facts, None, _NO_FACETS))
    version = known.versions.get(name)
    if version is None:
        version = known.versions[name] = version_told_by(name, facts)
        _OF_DATASETS.grow(len(name.namespace) + len(name.name) + _VERSION_BYTES)
    return make_tuple(ToldDataset, (name, facts, version, _NO_FACETS))


def _by_slices(payload: str) -> _Event:
    """Decode with raw_json, which accepts more than msgspec. Raises ValueError."""
    top = raw_json.members(payload)
    job = _members(top.get("job"))
    dataset = list(_datasets([top["dataset"]])) if "dataset" in top else []
    return _Event(
        _name(top.get("eventType")) or None,
        _Job(_raw(job.get("facets"))),
        list(_datasets(_elements(top.get("inputs")))),
        list(_datasets(_elements(top.get("outputs")))),
        dataset[0] if dataset else None,
    )


def _members(raw: str | None) -> dict[str, str]:
    return raw_json.members(raw) if raw is not None and raw[0] == "{" else {}


def _elements(raw: str | None) -> list[str]:
    """Return the elements of a list; of one that is too long for event_slices, none."""
    elements = raw_json.elements(raw) if raw is not None and raw[0] == "[" else []
    return elements if len(elements) <= MAX_DATASETS else []


def _datasets(elements: Iterable[str]) -> Iterator[_Dataset]:
    for element in elements:
        members = _members(element)
        namespace, name = _name(members.get("namespace")), _name(members.get("name"))
        if namespace and name:
            yield _Dataset(namespace, name, *(_raw(members.get(each)) for each in _FACETS))


_FACETS = ("facets", "inputFacets", "outputFacets")


def _name(raw: str | None) -> str:
    value: Any = raw_json.value(raw) if raw is not None and raw[0] == '"' else None
    return value if is_usable_name(value) else ""


def _raw(text: str | None) -> Raw:
    return _NO_RAW if text is None else Raw(text.encode())

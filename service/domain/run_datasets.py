"""What a run of a job reads and writes: the union over all of its events."""

# ruff: noqa: FURB136  min() and max() are calls, and the projector merges these for every event

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.domain.dataset_versions import job_version_id
from service.domain.event import DatasetName, Event, JobName, make_tuple
from service.domain.registers import (
    FACET_LIMITS,
    OMITTED,
    StampedFacet,
    StampedText,
    fair_share,
    latest,
    merge_facets,
    phase_of,
    stamped_facets,
)

MAX_DATASETS = 20_000
"""Most inputs, and most outputs, of a run; of more names, the first in order are kept, without their facets."""

_MAX_MOMENTS = 1_000


class Moment(NamedTuple):
    """The time and the position of an event."""

    at: datetime
    position: int


class StampedVersion(NamedTuple):
    """The version of a dataset that a run told last; the later (time, phase, digest) wins."""

    at: datetime
    phase: int
    digest: bytes
    version: UUID


class RunDataset(NamedTuple):
    """An input or output of a run.

    `moments`: of the events that name it, those before which no other event lies, in time and in position: nearly
    always one, the first. `facets`: inputFacets or outputFacets. `version`: None where the run tells no schema.
    """

    moments: tuple[Moment, ...]
    facets: Mapping[str, StampedFacet] = {}
    version: StampedVersion | None = None

    def is_known(self, at: datetime | None = None, position: int | None = None) -> bool:
        """Return whether an event of this time and position, or earlier ones, names it; None: any."""
        return any(
            (at is None or moment.at <= at) and (position is None or moment.position <= position)
            for moment in self.moments
        )


class RunDatasets(NamedTuple):
    """The inputs and outputs of a run, and the location of its job's code.

    `position`, `first_position`: of the last and the first event that names any. `started_at`: the earliest time of
    one.
    """

    position: int
    first_position: int
    started_at: datetime
    inputs: Mapping[DatasetName, RunDataset] = {}
    outputs: Mapping[DatasetName, RunDataset] = {}
    location: StampedText | None = None

    def job_version(self, job: JobName) -> UUID:
        """Return the id of the version of the job that has these datasets."""
        return job_version_id(job, self.inputs, self.outputs, self.location.text if self.location else None)


class RunMoment(NamedTuple):
    """An event of a run, as the registers of all of its datasets have it."""

    moments: tuple[Moment, ...]
    at: datetime
    phase: int
    digest: bytes

    @classmethod
    def of(cls, event: Event) -> RunMoment:
        """Return that of an event."""
        at, digest = event.transitioned_at, event.payload_digest or event.fact
        return cls((Moment(at, event.position),), at, phase_of(event), digest)

    def dataset(self, facets: Mapping[str, bytes | None], version: UUID | None) -> RunDataset:
        """Return what the event tells of an input or output of its run."""
        moments, at, phase, digest = self
        stamped = stamped_facets(at, digest, facets, phase) if facets else {}
        told = None if version is None else make_tuple(StampedVersion, (at, phase, digest, version))
        return make_tuple(RunDataset, (moments, stamped, told))


def run_datasets_of(
    event: Event,
    inputs: Mapping[DatasetName, RunDataset],
    outputs: Mapping[DatasetName, RunDataset],
    location: str | None = None,
) -> RunDatasets:
    """Return what an event names."""
    at, digest = event.transitioned_at, event.payload_digest or event.fact
    told = None if location is None else StampedText(at, digest, location, phase_of(event))
    within = _within_limits(inputs, outputs)
    return make_tuple(RunDatasets, (event.position, event.position, at, *within, told))


def merge_run_datasets(a: RunDatasets, b: RunDatasets) -> RunDatasets:
    """Merge what two parts of a run's history name; the order and overlap of the parts do not matter."""
    inputs, outputs = _merge(a.inputs, b.inputs), _merge(a.outputs, b.outputs)
    merged = (
        a.position if a.position > b.position else b.position,
        a.first_position if a.first_position < b.first_position else b.first_position,
        a.started_at if a.started_at < b.started_at else b.started_at,
        *_within_limits(inputs, outputs),
        latest(a.location, b.location),
    )
    return make_tuple(RunDatasets, merged)


_Datasets = Mapping[DatasetName, RunDataset]


def _merge(a: _Datasets, b: _Datasets) -> _Datasets:
    if not a or not b:
        return a or b
    merged = dict(a)
    for name, dataset in b.items():
        known = merged.get(name)
        merged[name] = dataset if known is None else merge_run_dataset(known, dataset)
    return merged


def merge_run_dataset(a: RunDataset, b: RunDataset) -> RunDataset:
    """Merge what two parts of a run's history tell of one of its datasets."""
    version = a.version
    if version is None or (b.version is not None and b.version > version):
        version = b.version
    merged = (_merge_moments(a.moments, b.moments), merge_facets(a.facets, b.facets), version)
    return make_tuple(RunDataset, merged)


def _merge_moments(a: tuple[Moment, ...], b: tuple[Moment, ...]) -> tuple[Moment, ...]:
    """Return the moments that no other one precedes in time and in position."""
    if len(a) == 1 and len(b) == 1:  # nearly always
        (at, position), (b_at, b_position) = a[0], b[0]
        if at <= b_at and position <= b_position:
            return a
        if b_at <= at and b_position <= position:
            return b
    kept: list[Moment] = []
    for moment in sorted({*a, *b}):
        if not kept or moment.position < kept[-1].position:
            kept.append(moment)
    return tuple(kept[:_MAX_MOMENTS])


def _within_limits(inputs: _Datasets, outputs: _Datasets) -> tuple[_Datasets, _Datasets]:
    """Leave out what does not fit into MAX_DATASETS, and facets that do not fit into FACET_LIMITS, all together.

    As for the facets of a run (registers.py), what is left out once stays left out, whatever else is merged.
    """
    if len(inputs) > MAX_DATASETS or len(outputs) > MAX_DATASETS:
        return _first(inputs), _first(outputs)
    sizes = [facet.size for dataset in (*inputs.values(), *outputs.values()) for facet in dataset.facets.values()]
    if sum(sizes) <= FACET_LIMITS.size:
        return inputs, outputs
    share = fair_share(sizes)
    return _omit(inputs, share), _omit(outputs, share)


def _first(datasets: _Datasets) -> _Datasets:
    """Return the first MAX_DATASETS and one more, which marks that there are more of them, without facets."""
    names: Iterable[DatasetName] = datasets
    if len(datasets) > MAX_DATASETS:
        names = sorted(datasets)[: MAX_DATASETS + 1]
    return {name: datasets[name]._replace(facets={}) for name in names}


def _omit(datasets: _Datasets, share: int) -> _Datasets:
    return {
        name: dataset._replace(facets={key: _omitted(facet, share) for key, facet in dataset.facets.items()})
        if dataset.facets
        else dataset
        for name, dataset in datasets.items()
    }


def _omitted(facet: StampedFacet, share: int) -> StampedFacet:
    return facet if facet.value is None or facet.size <= share else facet._replace(value=OMITTED)

"""Versions of datasets: listed and read."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.domain.binding import Binding
from service.http.dataset_reads import (
    KNOWN_AT,
    VALID_AT,
    as_of,
    dataset_name,
    find_dataset,
    past_moment,
    wait_for_lineage_unless_stale,
)
from service.http.dataset_views import version_view
from service.http.fast_path import json_response
from service.http.openapi import dataset_responses
from service.http.parameters import LIMIT, OFFSET, STALE
from service.http.paths import DATASET
from service.http.permissions import binding_of
from service.http.request_values import slice_of
from service.http.resources import RESOURCES
from service.http.route import Reach, Route, Tag
from service.http.runs_of_versions import ViewOf, version_list, whole_version
from service.lineage.datasets import DatasetItem, VersionItem
from service.not_found import DatasetNotFound, DatasetVersionNotFound, NamespaceNotFound
from service.payloads.json_writer import dump
from service.payloads.run_ids import parse_uuid

_VERSIONS = f"{DATASET}/versions"


async def list_versions(request: web.Request) -> web.Response:
    """List the versions of a dataset."""
    resources, dataset, page = request.app[RESOURCES], dataset_name(request), slice_of(request)
    moment, binding = await past_moment(request), binding_of(request)
    await wait_for_lineage_unless_stale(request)
    item = await find_dataset(resources, dataset, binding, moment)
    versions, total = await resources.datasets.versions(item, page, moment)
    views = await version_list(request, versions, _view_of(item, binding))
    return json_response(request, dump({"versions": views, "totalCount": total} | as_of(moment, binding)))


async def get_version(request: web.Request) -> web.Response:
    """Read a version of a dataset."""
    resources, dataset, text = request.app[RESOURCES], dataset_name(request), request.match_info["version"]
    await wait_for_lineage_unless_stale(request)
    binding = binding_of(request)
    item = await find_dataset(resources, dataset, binding)
    version = parse_uuid(text)
    found = await resources.datasets.version(item, version) if version is not None else None
    if found is None:
        raise DatasetVersionNotFound(text)
    return json_response(request, await whole_version(request, found, _view_of(item, binding)))


def _view_of(item: DatasetItem, binding: Binding | None) -> ViewOf[VersionItem]:
    """Return what makes the view of a version, with the run that was the first to write it."""
    return lambda found, run: version_view(item, found, run, binding)


ROUTES = (
    Route(
        method="GET",
        path=_VERSIONS,
        handler=list_versions,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.DATASETS,
        summary="List the versions of a dataset, newest first",
        description="A version is what is different: source, physical name, fields, lifecycle state. Runs that write "
        "the same make one version, and `createdByRun` is the first of them; where it takes more than 16 KiB, it is "
        "there without its facets and datasets, and says so. Tags are the current ones.",
        parameters=(KNOWN_AT, VALID_AT, LIMIT, OFFSET, STALE),
        answers={200: dataset_responses.DatasetVersions},
        errors=(NamespaceNotFound, DatasetNotFound),
    ),
    Route(
        method="GET",
        path=f"{_VERSIONS}/{{version}}",
        handler=get_version,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.DATASETS,
        summary="Read a version of a dataset",
        description="Every id that an answer has of a version of the dataset is found.",
        parameters=(STALE,),
        answers={200: dataset_responses.DatasetVersion},
        errors=(NamespaceNotFound, DatasetNotFound, DatasetVersionNotFound),
    ),
)

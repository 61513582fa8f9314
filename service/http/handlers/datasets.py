"""Datasets: defined, read, listed, deleted."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.domain.event import DatasetName
from service.errors import Invalid
from service.http import dataset_commands, definitions
from service.http.dataset_reads import (
    KNOWN_AT,
    VALID_AT,
    as_of,
    dataset_name,
    find_dataset,
    past_moment,
    wait_for_lineage,
    wait_for_lineage_unless_stale,
    wait_until_current,
)
from service.http.dataset_views import dataset_view, past_dataset_view
from service.http.fast_path import json_response
from service.http.long_lists import list_fragment
from service.http.openapi import dataset_responses
from service.http.parameters import LIMIT, NAME_PREFIX, OFFSET, STALE
from service.http.paths import BASE, DATASET, DATASETS
from service.http.permissions import binding_of, check_read, check_write
from service.http.recorded import RECORDED_HEADER, recorded_position
from service.http.request_values import caller, json_body, name, slice_of
from service.http.resources import RESOURCES
from service.http.route import Body, Reach, Route, Tag, parameters_of
from service.not_found import DatasetNotFound, NamespaceNotFound, RunNotFound, SourceNotFound
from service.payloads.json_writer import dump
from service.payloads.schemas import PutDataset


async def put_dataset(request: web.Request) -> web.Response:
    """Define a dataset, and answer with it."""
    resources, dataset = request.app[RESOURCES], dataset_name(request)
    result = await dataset_commands.define_dataset(resources, dataset, await json_body(request), caller(request))
    await wait_for_lineage(resources, result)
    return await _answer(request, dataset, recorded_position(result))


async def get_dataset(request: web.Request) -> web.Response:
    """Read a dataset, by any of its names."""
    dataset, binding, resources = dataset_name(request), binding_of(request), request.app[RESOURCES]
    moment = await past_moment(request)
    await wait_for_lineage_unless_stale(request)
    if moment is None:
        return await _answer(request, dataset)
    item = await find_dataset(resources, dataset, binding, moment)
    past = await resources.graphs.past_datasets.read(item, moment, binding)
    if past is None:
        raise DatasetNotFound(dataset.name)
    return json_response(request, dump(past_dataset_view(item, past, binding) | as_of(moment, binding)))


async def _answer(request: web.Request, dataset: DatasetName, recorded: bytes | None = None) -> web.Response:
    binding = binding_of(request)
    item = await find_dataset(request.app[RESOURCES], dataset, binding)
    return json_response(request, dump(dataset_view(item, binding)), recorded=recorded)


async def delete_dataset(request: web.Request) -> web.Response:
    """Delete a dataset, and answer with it as it was."""
    resources, dataset, who = request.app[RESOURCES], dataset_name(request), caller(request)
    check_write(who, dataset.namespace)
    await wait_until_current(resources)
    item = await find_dataset(resources, dataset, who.binding)
    result = await dataset_commands.delete_dataset(resources, dataset, who)
    await wait_for_lineage(resources, result)
    view = dataset_view(item, who.binding)
    return json_response(request, dump(view), recorded=recorded_position(result))


async def list_datasets(request: web.Request) -> web.Response:
    """List the datasets of a namespace, or of all."""
    resources, binding = request.app[RESOURCES], binding_of(request)
    namespace = name(request, "namespace") if "namespace" in request.match_info else None
    prefix, page = parameters_of(request)[NAME_PREFIX], slice_of(request)
    await wait_for_lineage_unless_stale(request)
    if namespace is not None:
        check_read(binding, namespace)
        await definitions.find_namespace(resources, namespace, binding)
    items, total = await resources.datasets.page(namespace, prefix or None, page, binding)
    datasets = await list_fragment(dataset_view(item, binding) for item in items)
    return json_response(request, dump({"totalCount": total, "datasets": datasets}))


ROUTES = (
    Route(
        method="PUT",
        path=DATASET,
        handler=put_dataset,
        scope=Scope.WRITE,
        reach=Reach.WITHIN,
        tag=Tag.DATASETS,
        summary="Define a dataset",
        description="Its namespace and its source must exist, and so must the run that wrote it, if one is named. "
        "A description that is left out stays as it is; tags are added to those that there are. Defining a dataset "
        "again as it is records nothing. For API keys that are bound to namespaces, any name of a source will do.",
        body=Body(PutDataset),
        answers={200: dataset_responses.Dataset},
        errors=(NamespaceNotFound, SourceNotFound, RunNotFound, DatasetNotFound, Invalid),
        headers={200: RECORDED_HEADER},
    ),
    Route(
        method="GET",
        path=DATASET,
        handler=get_dataset,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.DATASETS,
        summary="Read a dataset by any of its names",
        description="With `knownAt` or `validAt`, it is as it was then, without tags and column mapping. Which names "
        "are of one dataset is as it is now. A facet that was replaced later may be missing where none of the last "
        "events before that moment told it, or where their payloads are archived.",
        parameters=(KNOWN_AT, VALID_AT, STALE),
        answers={200: dataset_responses.Dataset},
        errors=(NamespaceNotFound, DatasetNotFound),
    ),
    Route(
        method="DELETE",
        path=DATASET,
        handler=delete_dataset,
        scope=Scope.WRITE,
        reach=Reach.WITHIN,
        tag=Tag.DATASETS,
        summary="Delete a dataset",
        description="Records a mark in the ledger; nothing is removed. The next event that names the dataset brings it "
        "back with its history. Answers with the dataset as it was.",
        answers={200: dataset_responses.Dataset},
        errors=(NamespaceNotFound, DatasetNotFound),
        headers={200: RECORDED_HEADER},
    ),
    Route(
        method="GET",
        path=DATASETS,
        handler=list_datasets,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.DATASETS,
        summary="List the datasets of a namespace by name",
        parameters=(NAME_PREFIX, LIMIT, OFFSET, STALE),
        answers={200: dataset_responses.Datasets},
        errors=(NamespaceNotFound,),
    ),
    Route(
        method="GET",
        path=f"{BASE}/datasets",
        handler=list_datasets,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.DATASETS,
        summary="List all datasets by name",
        parameters=(NAME_PREFIX, LIMIT, OFFSET, STALE),
        answers={200: dataset_responses.Datasets},
        errors=(Invalid,),
    ),
)

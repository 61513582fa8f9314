"""Finds datasets for handlers, and waits until what was recorded is projected into them."""

from __future__ import annotations

from aiohttp import web

from service.domain.binding import Binding
from service.domain.event import DatasetName
from service.errors import DatasetNotFound
from service.http.definitions import find_namespace
from service.http.parameters import STALE
from service.http.permissions import check_read
from service.http.request_values import name
from service.http.resources import RESOURCES, Resources
from service.http.route import parameters_of
from service.ledger.batch import AppendResult
from service.lineage.datasets import DatasetItem


def dataset_name(request: web.Request) -> DatasetName:
    """Return the name of the dataset in the path. Raises Malformed for one that cannot be recorded."""
    return DatasetName(name(request, "namespace"), name(request, "dataset"))


async def wait_for_lineage(resources: Resources, result: AppendResult) -> None:
    """Wait until datasets hold the event of a command, recorded now or before. Raises Unavailable."""
    if result.position is not None:
        await resources.lineage.wait_for(result.position)
    else:
        await resources.lineage.wait_until_current()


async def wait_for_lineage_unless_stale(request: web.Request) -> None:
    """Wait until datasets hold all that was recorded before the request, unless parameter `stale` is true.

    Raises Unavailable where they do not catch up in time.
    """
    if not parameters_of(request)[STALE]:
        await request.app[RESOURCES].lineage.wait_until_current()


async def find_dataset(resources: Resources, dataset: DatasetName, binding: Binding | None) -> DatasetItem:
    """Return a dataset. Raises NamespaceNotFound, and DatasetNotFound also for a deleted dataset."""
    check_read(binding, dataset.namespace)
    item = await resources.datasets.find(dataset, binding)
    if item is None:
        await find_namespace(resources, dataset.namespace, binding)
        raise DatasetNotFound(dataset.name)
    return item

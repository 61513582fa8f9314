"""Finds datasets for handlers, and waits until what was recorded is projected into them."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from service.domain.binding import Binding
from service.domain.event import DatasetName
from service.http.definitions import find_namespace
from service.http.parameters import STALE, time
from service.http.permissions import check_read
from service.http.request_values import name
from service.http.resources import RESOURCES, Resources
from service.http.route import parameters_of
from service.ledger.batch import AppendResult
from service.ledger.events import LOG
from service.lineage.datasets import DatasetItem
from service.lineage.past_graph import PastMoment
from service.not_found import DatasetNotFound


def dataset_name(request: web.Request) -> DatasetName:
    """Return the name of the dataset in the path. Raises Malformed for one that cannot be recorded."""
    return DatasetName(name(request, "namespace"), name(request, "dataset"))


WAIT_S = 10.0
"""Seconds that a request waits at most, and no longer than --database-timeout, for datasets, which are projected more
slowly than the catalog, before it is answered with 503: it would be repeated, and wait again. Graphs are answered
before, see behind.py."""


async def wait_until_current(resources: Resources) -> None:
    """Wait until datasets hold all that was recorded before. Raises Unavailable."""
    await resources.lineage.wait_until_current(WAIT_S)


async def wait_for_lineage(resources: Resources, result: AppendResult) -> None:
    """Wait until datasets hold the event of a command, recorded now or before. Raises Unavailable."""
    if result.position is not None:
        await resources.lineage.wait_for(result.position, WAIT_S)
    else:
        await wait_until_current(resources)


async def wait_for_lineage_unless_stale(request: web.Request) -> None:
    """Wait until datasets hold all that was recorded before the request, unless parameter `stale` is true.

    Raises Unavailable where they do not catch up in time.
    """
    if not parameters_of(request)[STALE]:
        await wait_until_current(request.app[RESOURCES])


KNOWN_AT = time("knownAt", "As it was known then: by the events recorded up to this time.")
VALID_AT = time("validAt", "As it stood then: by events that happened up to this time.")


async def past_moment(request: web.Request) -> PastMoment | None:
    """Return the moment that a request asks for; None: now."""
    parameters = parameters_of(request)
    known_at, valid_at = parameters[KNOWN_AT], parameters[VALID_AT]
    if known_at is None and valid_at is None:
        return None
    known = await request.app[RESOURCES].ledger.known_at(known_at)
    return PastMoment(known.position, known.recorded_at, valid_at)


def as_of(moment: PastMoment | None, binding: Binding | None) -> dict[str, Any]:
    """Return the member that says what was known; for a bound key, heads would tell when others recorded something."""
    if moment is None or binding is not None:
        return {}
    recorded_at = moment.recorded_at if moment.position else None
    return {"asOf": {"log": LOG, "position": moment.position, "recordedAt": recorded_at}}


async def find_dataset(
    resources: Resources, dataset: DatasetName, binding: Binding | None, moment: PastMoment | None = None
) -> DatasetItem:
    """Return a dataset. Raises NamespaceNotFound, and DatasetNotFound also for a deleted dataset."""
    check_read(binding, dataset.namespace)
    item = await resources.datasets.find(dataset, binding, moment)
    if item is None:
        await find_namespace(resources, dataset.namespace, binding)
        raise DatasetNotFound(dataset.name)
    return item

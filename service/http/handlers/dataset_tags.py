"""Tags of datasets and of their fields: added and removed."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.domain.tags import TagChange
from service.errors import Invalid
from service.http import dataset_commands
from service.http.dataset_reads import dataset_name, find_dataset, wait_for_lineage, wait_until_current
from service.http.dataset_views import dataset_view
from service.http.fast_path import json_response
from service.http.openapi import dataset_responses
from service.http.paths import DATASET
from service.http.permissions import check_write
from service.http.recorded import RECORDED_HEADER, recorded_position
from service.http.request_values import caller, name
from service.http.resources import RESOURCES
from service.http.route import Handler, Reach, Route, Tag
from service.not_found import DatasetNotFound, FieldNotFound, NamespaceNotFound
from service.payloads.dataset_state import state_of
from service.payloads.json_writer import dump


def _change_to(*, added: bool) -> Handler:
    """Return the handler that adds a tag to a dataset or its field, or removes it, and answers with the dataset."""

    async def handle(request: web.Request) -> web.Response:
        resources, dataset, who = request.app[RESOURCES], dataset_name(request), caller(request)
        field = name(request, "field") if "field" in request.match_info else None
        change = TagChange(name(request, "tag"), added, field)
        check_write(who, dataset.namespace)
        await wait_until_current(resources)
        item = await find_dataset(resources, dataset, who.binding)
        if field is not None and all(each.name != field for each in state_of(item.registers).fields):
            raise FieldNotFound(field, dataset.name)
        # To the name under which the dataset is shown: what is decided is what is shown.
        result = await dataset_commands.change_tag_of_dataset(resources, item.name, change, who)
        await wait_for_lineage(resources, result)
        view = dataset_view(await find_dataset(resources, dataset, who.binding), who.binding)
        return json_response(request, dump(view), recorded=recorded_position(result))

    return handle


def _route(method: str, path: str, summary: str, *, added: bool) -> Route:
    return Route(
        method=method,
        path=path,
        handler=_change_to(added=added),
        scope=Scope.WRITE,
        reach=Reach.WITHIN,
        tag=Tag.DATASETS,
        summary=summary,
        description="Records nothing where that changes nothing. The tag need not be defined, and its case counts.",
        answers={200: dataset_responses.Dataset},
        errors=(NamespaceNotFound, DatasetNotFound, FieldNotFound, Invalid),
        headers={200: RECORDED_HEADER},
    )


_TAG = f"{DATASET}/tags/{{tag}}"
_TAG_OF_FIELD = f"{DATASET}/fields/{{field}}/tags/{{tag}}"

ROUTES = (
    _route("POST", _TAG, "Add a tag to a dataset", added=True),
    _route("DELETE", _TAG, "Remove a tag from a dataset", added=False),
    _route("POST", _TAG_OF_FIELD, "Add a tag to a field of a dataset", added=True),
    _route("DELETE", _TAG_OF_FIELD, "Remove a tag from a field of a dataset", added=False),
)

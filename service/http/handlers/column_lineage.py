"""Column lineage: which columns a column is made of, and which are made of it."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from service.auth.keys import Scope
from service.domain.node_ids import NodeKind, NodeText
from service.errors import Malformed
from service.http.behind import BEHIND_HEADER, events_behind, looking_in
from service.http.column_views import column_graph_json
from service.http.dataset_reads import KNOWN_AT, VALID_AT, as_of, past_moment
from service.http.fast_path import json_response
from service.http.node_parameters import depth, node_id, node_limit, node_not_found
from service.http.openapi import graph_responses
from service.http.parameters import STALE, marquez_boolean
from service.http.paths import BASE
from service.http.permissions import binding_of
from service.http.resources import RESOURCES
from service.http.route import Reach, Route, Tag, parameters_of
from service.http.streaming import CLIENT_CLOSED_REQUEST, while_connected
from service.lineage.column_graph import ColumnBounds
from service.lineage.past_graph import PastMoment
from service.not_found import DatasetNotFound, FieldNotFound, JobNotFound

_NODE = node_id(
    "`datasetField:NAMESPACE:DATASET:FIELD`, or `dataset:NAMESPACE:NAME`: all of its fields, or `job:NAMESPACE:NAME`: "
    "those of its outputs. The first two may end in `#VERSION`, the id of a version of the dataset: the mapping that "
    "tells this version, and the versions of its inputs that were current then.",
    NodeKind.FIELD,
    NodeKind.DATASET,
    NodeKind.JOB,
)
_DEPTH = depth("How many edges away from the node the graph ends; 0 is taken for 1.")
_LIMIT = node_limit()
_DOWNSTREAM = marquez_boolean("withDownstream", "`true`: also the columns that are made of these.")


async def read(request: web.Request) -> web.Response:
    """Read which columns those of a node are made of."""
    parameters = parameters_of(request)
    query = _Query(parameters[_NODE], ColumnBounds(parameters[_DEPTH], parameters[_LIMIT]), parameters[_DOWNSTREAM])
    moment = await past_moment(request)
    behind = await events_behind(request)
    with looking_in(behind):
        body = await while_connected(request, _body(request, query, moment))
    return web.Response(status=CLIENT_CLOSED_REQUEST) if body is None else json_response(request, body, behind=behind)


class _Query(NamedTuple):
    """What is asked for."""

    node: NodeText
    bounds: ColumnBounds
    downstream: bool


async def _body(request: web.Request, query: _Query, moment: PastMoment | None) -> bytes:
    graphs, binding = request.app[RESOURCES].graphs, binding_of(request)
    node, bounds, downstream = query
    start = await graphs.column_nodes.find(node, binding, moment)
    if start is None:
        raise node_not_found(node)
    if start.version is None:
        graph = await graphs.columns.read(start.columns, bounds, binding, moment, downstream=downstream)
    elif downstream:
        raise Malformed("withDownstream=true is for datasets and fields as they are, without a version")
    else:
        graph = await graphs.column_nodes.read_versions(start.columns, *bounds, binding)
    versions = await graphs.column_nodes.describe(graph.columns, binding, moment)
    return await column_graph_json(graph, versions, as_of(moment, binding))


ROUTES = (
    Route(
        method="GET",
        path=f"{BASE}/column-lineage",
        handler=read,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.LINEAGE,
        summary="Read which columns the columns of a node are made of",
        description="By the latest event of each job that tells the facet `columnLineage` of a dataset that the job "
        "still writes. Nodes without edges are left out. `outEdges` lead from a column to those made of it. In "
        "`inEdges`, as in Marquez, whose interface relies on it, `origin` is the column itself and `destination` what "
        "it is made of. With `knownAt` or `validAt`, by the mapping that each job had told last then, of a dataset "
        "that its latest run of then wrote; ids have no `#VERSION`. `truncated` also where the payload of an event is "
        "archived that may have told a mapping.",
        parameters=(_NODE, _DEPTH, _DOWNSTREAM, _LIMIT, KNOWN_AT, VALID_AT, STALE),
        answers={200: graph_responses.ColumnGraph},
        headers={200: BEHIND_HEADER},
        errors=(JobNotFound, DatasetNotFound, FieldNotFound),
    ),
)

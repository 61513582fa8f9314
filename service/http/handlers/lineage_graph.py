"""The lineage graph: jobs, the datasets that they read and write, and what is connected with them."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from service.auth.keys import Scope
from service.domain.binding import Binding
from service.domain.node_ids import NodeKind, NodeText
from service.errors import Malformed
from service.http.behind import BEHIND_HEADER, events_behind, looking_in
from service.http.fast_path import json_response
from service.http.lineage_views import cut_view, graph_json
from service.http.node_parameters import depth, node_id, node_limit, node_not_found
from service.http.openapi import graph_responses
from service.http.parameters import STALE, boolean, choice, marquez_boolean, time
from service.http.paths import BASE
from service.http.permissions import binding_of
from service.http.resources import RESOURCES
from service.http.route import Reach, Route, Tag, parameters_of
from service.http.streaming import CLIENT_CLOSED_REQUEST, while_connected
from service.ledger.events import LOG
from service.lineage.graph import GraphQuery
from service.lineage.graph_statements import ANY_POSITION
from service.lineage.graphs import Graphs
from service.lineage.past_graph import PastMoment
from service.lineage.walk import Direction, Node
from service.not_found import DatasetNotFound, JobNotFound
from service.payloads.json_writer import dump

_NODE = node_id(
    "`job:NAMESPACE:NAME` or `dataset:NAMESPACE:NAME`. Every id of an answer is accepted, whatever characters names "
    "have; of several possible readings, what exists is meant.",
    NodeKind.JOB,
    NodeKind.DATASET,
)
_DEPTH = depth(
    "How many jobs away from the node the graph ends. 0: the job with its datasets, or the dataset with all jobs that "
    "read or write it, and theirs."
)
_DIRECTION = choice(
    "direction", "`up`: only what the node is made of; `down`: only what is made of it.", tuple(Direction), "both"
)
_LIMIT = node_limit()
_EDGES = choice(
    "edges",
    "`current`: what the latest run of each job reads and writes; `all`: also what earlier runs did.",
    ("current", "all"),
    "current",
)
_PARENTS = boolean("withParents", "`true`: also the jobs in whose runs those of the graph ran, with an edge to them.")
_DOWNSTREAM = marquez_boolean("withDownstream", "Has no effect, as in Marquez; see `direction`.")
_KNOWN_AT = time("knownAt", "As it was known then: by the events recorded up to this time.")
_VALID_AT = time("validAt", "As it stood then: by events that happened up to this time.")


async def read(request: web.Request) -> web.Response:
    """Read the graph around a job or a dataset, as it is or as it was."""
    parameters = parameters_of(request)
    query = GraphQuery(
        parameters[_DEPTH],
        parameters[_LIMIT],
        Direction(parameters[_DIRECTION]),
        parameters[_EDGES] == "all",
        parameters[_PARENTS],
    )
    past = parameters[_KNOWN_AT] is not None or parameters[_VALID_AT] is not None
    if past and (query.all_edges or query.with_parents):
        raise Malformed("edges=all and withParents=true are of the graph as it is, without knownAt and validAt")
    node, _ = parameters[_NODE], parameters[_DOWNSTREAM]
    behind = await events_behind(request)
    read_graph = _past_body if past else _body
    with looking_in(behind):
        body = await while_connected(request, read_graph(request, node, query))
    return web.Response(status=CLIENT_CLOSED_REQUEST) if body is None else json_response(request, body, behind=behind)


async def _body(request: web.Request, node: NodeText, query: GraphQuery) -> bytes:
    graphs, binding = request.app[RESOURCES].graphs, binding_of(request)
    graph = await graphs.lineage.read(await _find(graphs, node, binding), query, binding)
    return _with_members(await graph_json(graph, parents=query.with_parents), cut_view(graph.cut))


async def _past_body(request: web.Request, node: NodeText, query: GraphQuery) -> bytes:
    parameters, resources, binding = parameters_of(request), request.app[RESOURCES], binding_of(request)
    known = await resources.ledger.known_at(parameters[_KNOWN_AT])
    moment = PastMoment(known.position, known.recorded_at, parameters[_VALID_AT])
    start = await _find(resources.graphs, node, binding, moment.position)
    graph = await resources.graphs.past.read(start, query, moment, binding)
    members = cut_view(graph.cut)
    if binding is None:  # heads would tell a bound key when others recorded something
        recorded = known.recorded_at if known.position else None
        members["asOf"] = {"log": LOG, "position": known.position, "recordedAt": recorded}
    return _with_members(await graph_json(graph, past=True), members)


async def _find(graphs: Graphs, node: NodeText, binding: Binding | None, position: int = ANY_POSITION) -> Node:
    found = await graphs.lineage.find(node, binding, position)
    if found is None:
        raise node_not_found(node)
    return found


def _with_members(nodes: bytes, members: dict[str, Any]) -> bytes:
    return b'{"graph":%b%b' % (nodes, b",%b" % dump(members)[1:] if members else b"}")


ROUTES = (
    Route(
        method="GET",
        path=f"{BASE}/lineage",
        handler=read,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.LINEAGE,
        summary="Read the lineage graph around a job or a dataset",
        description="Nodes by id, each with the edges that end at it and those that begin there. Depth counts jobs. "
        "`truncated` where nodes are left out because of `limit` or the size of the answer; `truncatedAt`: the nodes "
        "that may have neighbours which are left out, so ask for the graph around these. With `knownAt` or `validAt` "
        "edges and fields are those of then: jobs have `currentRunUuid`, but no `latestRun`; which names are of one "
        "dataset, and all else, is as it is now.",
        parameters=(
            _NODE,
            _DEPTH,
            _DIRECTION,
            _LIMIT,
            _EDGES,
            _PARENTS,
            _KNOWN_AT,
            _VALID_AT,
            _DOWNSTREAM,
            STALE,
        ),
        answers={200: graph_responses.LineageGraph},
        headers={200: BEHIND_HEADER},
        errors=(JobNotFound, DatasetNotFound),
    ),
)

"""Writes the lineage graph as Marquez does: a list of nodes by their ids, each with its edges.

An edge is in the answer twice, at both of its ends. Ids and edges are encoded once; nodes are encoded some at a time,
so that other requests are answered in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson
from orjson import Fragment

from service.catalog.batches import Pauses, in_parts
from service.domain.dataset import DatasetRegisters
from service.domain.dataset_definitions import DatasetField
from service.domain.event import DatasetName, JobName
from service.domain.ids import job_id
from service.domain.node_ids import dataset_node, job_node
from service.domain.tags import present
from service.http import views
from service.http.dataset_views import fields_view
from service.lineage.graph import Graph, GraphDataset, GraphJob
from service.lineage.run_lineage import RunLineage
from service.payloads.dataset_facets import fields_of
from service.payloads.dataset_state import state_of
from service.payloads.json_writer import dump


class _Edges:
    """The edges between nodes, by the ids of the nodes as JSON."""

    def __init__(self) -> None:
        self._into: dict[bytes, list[bytes]] = defaultdict(list)
        self._out_of: dict[bytes, list[bytes]] = defaultdict(list)

    def add(self, origin: bytes, destination: bytes) -> None:
        edge = b'{"origin":%b,"destination":%b}' % (origin, destination)
        self._out_of[origin].append(edge)
        self._into[destination].append(edge)

    def members(self, node: bytes) -> bytes:
        """Return the edges of a node, as the last members of its object."""
        into, out_of = self._into.get(node, ()), self._out_of.get(node, ())
        return b',"inEdges":[%b],"outEdges":[%b]}' % (b",".join(into), b",".join(out_of))


class _Fields:
    """The fields of the datasets of an answer: each schema is decoded once, and each list of fields encoded once."""

    def __init__(self) -> None:
        self._of_schemas: dict[bytes, tuple[DatasetField, ...]] = {}
        self._encoded: dict[tuple[DatasetField, ...], Fragment] = {}

    def read(self, schema: bytes) -> tuple[DatasetField, ...]:
        """Return the fields of a `schema` facet."""
        fields = self._of_schemas.get(schema)
        if fields is None:
            fields = self._of_schemas[schema] = fields_of(schema)
        return fields

    def view(self, fields: tuple[DatasetField, ...], dataset: DatasetRegisters) -> Fragment | list[dict[str, Any]]:
        """Return fields with their tags, as fields_view does."""
        if dataset.field_tags:
            return fields_view(fields, dataset)
        encoded = self._encoded.get(fields)
        if encoded is None:
            encoded = self._encoded[fields] = Fragment(dump(fields_view(fields, dataset)))
        return encoded


async def graph_json(graph: Graph, *, past: bool = False, parents: bool = False) -> bytes:
    """Return the nodes of a graph as a JSON array.

    `past`: the graph is that of a moment. `parents`: it has edges from jobs to those that ran in their runs.
    """
    nodes: list[tuple[str, GraphJob | GraphDataset]] = [
        *((dataset_node(each.name), each) for each in graph.datasets.values()),
        *((job_node(each.name), each) for each in graph.jobs.values()),
    ]
    nodes.sort(key=lambda node: node[0])
    encoded = {each.name: orjson.dumps(id_) for id_, each in nodes if isinstance(each, GraphDataset)}
    jobs = {each.name: orjson.dumps(id_) for id_, each in nodes if isinstance(each, GraphJob)}
    pauses = Pauses()
    edges = await _edges(nodes, encoded, jobs, pauses, parents=parents)
    fields = _Fields()
    texts = []
    for _, node in nodes:
        await pauses.pause()
        if isinstance(node, GraphJob):
            id_, kind, data = jobs[node.name], b"JOB", _job_data(node, graph.runs, past=past)
        else:
            id_, kind, data = encoded[node.name], b"DATASET", _dataset_data(node, fields, past=past)
        texts.append(b'{"id":%b,"type":"%b","data":%b%b' % (id_, kind, dump(data), edges.members(id_)))
    return b"[%b]" % b",".join(texts)


async def _edges(
    nodes: Iterable[tuple[str, GraphJob | GraphDataset]],
    datasets: Mapping[DatasetName, bytes],
    jobs: Mapping[JobName, bytes],
    pauses: Pauses,
    *,
    parents: bool,
) -> _Edges:
    edges = _Edges()
    for _, job in nodes:
        if not isinstance(job, GraphJob):
            continue
        node = jobs[job.name]
        for names in in_parts(job.inputs):
            await pauses.pause()
            for dataset in filter(None, map(datasets.get, names)):
                edges.add(dataset, node)
        for names in in_parts(job.outputs):
            await pauses.pause()
            for dataset in filter(None, map(datasets.get, names)):
                edges.add(node, dataset)
        if parents and job.parent is not None and job.parent in jobs:
            edges.add(jobs[job.parent], node)
    return edges


def cut_view(cut: Iterable[JobName | DatasetName]) -> dict[str, Any]:
    """Return the members that say that nodes are left out, and of which nodes they are neighbours; none without."""
    ids = [dataset_node(name) if isinstance(name, DatasetName) else job_node(name) for name in cut]
    return {"truncated": True, "truncatedAt": ids} if ids else {}


def _job_data(job: GraphJob, runs: Mapping[UUID, RunLineage], *, past: bool) -> dict[str, Any]:
    registers, latest, parent = job.registers, job.latest, job.parent
    run = str(latest.id) if latest else None
    return {
        "id": {"namespace": registers.namespace, "name": registers.name},
        "type": views.type_of_job(registers),
        "name": registers.name,
        "simpleName": registers.name if parent is None else registers.name.removeprefix(f"{parent.name}."),
        "parentJobName": parent.name if parent else None,
        "parentJobUuid": job_id(*parent) if parent else None,
        "currentRunUuid": str(job.run) if past and job.run else run,
        "createdAt": registers.first_seen.at if registers.first_seen else registers.updated_at,
        "updatedAt": registers.updated_at,
        "namespace": registers.namespace,
        "inputs": [{"namespace": name.namespace, "name": name.name} for name in job.inputs],
        "outputs": [{"namespace": name.namespace, "name": name.name} for name in job.outputs],
        "location": views.location_of_job(registers),
        "description": views.description_of_job(registers),
        "latestRun": views.run_view(run, latest.registers, runs.get(latest.id)) if latest and run else None,
    }


def _dataset_data(dataset: GraphDataset, fields: _Fields, *, past: bool) -> dict[str, Any]:
    registers, version = dataset.registers, dataset.version
    state = state_of(registers, fields.read)
    data = {
        "id": {"namespace": registers.namespace, "name": registers.name},
        "type": state.type,
        "name": registers.name,
        "physicalName": state.physical_name,
        "createdAt": state.created_at,
        "updatedAt": max(state.created_at, registers.updated_at),
        "namespace": registers.namespace,
        "sourceName": state.source,
        "fields": fields.view(state.fields, registers),
        "tags": present(registers.tags),
        "lastModifiedAt": None,
        "description": state.description,
        "lastLifecycleState": state.lifecycle,
    }
    if not past:
        return data
    data |= {"fields": [], "tags": [], "description": None, "lastLifecycleState": ""}
    if version is None:
        return data
    return data | {
        "type": version.type,
        "physicalName": version.physical_name,
        "sourceName": version.source,
        "fields": fields.view(version.fields, registers._replace(field_tags={})),
        "description": version.description,
        "lastLifecycleState": version.lifecycle_state,
    }

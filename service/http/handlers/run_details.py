"""The facets of a run, its children, and the tree that it is part of."""

from __future__ import annotations

from aiohttp import web

from service.auth.keys import Scope
from service.catalog.run_tree import MAX_LEVELS, MAX_RUNS, Extent, RunTree, foreign_cursor
from service.http import views
from service.http.fast_path import json_response
from service.http.job_reads import lineage_of_runs
from service.http.openapi import brief_responses, responses
from service.http.parameters import LIMIT, OFFSET, PAGE_LIMIT, choice, integer, run_reference
from service.http.paths import RUN
from service.http.permissions import binding_of, visible
from service.http.request_values import run_id, run_not_found, slice_of
from service.http.resources import RESOURCES
from service.http.route import Reach, Route, Tag, parameters_of
from service.not_found import RunNotFound
from service.payloads.json_writer import dump

_TYPE = choice("type", "Whose facets.", ("run", "job"))
_ABOVE = integer("above", "The number of levels above the run at which the tree begins, at most.", 0, MAX_LEVELS, 8)
_DEPTH = integer("depth", "The number of levels below the root, at most.", 0, MAX_LEVELS, 8)
_CURSOR = run_reference("cursor", "`next` of the page before.")


async def facets(request: web.Request) -> web.Response:
    """Read the facets of a run, or those of its job that came with the run."""
    text, run = run_id(request)
    kind = parameters_of(request)[_TYPE]
    registers = visible(binding_of(request), await request.app[RESOURCES].reader.read(run))
    if registers is None:
        raise run_not_found(request)
    selected = registers.run_facets if kind == "run" else registers.job_facets
    return json_response(
        request, dump({"runId": text, "facets": views.facets_view(selected), **views.omitted_view(selected)})
    )


async def children(request: web.Request) -> web.Response:
    """List the runs that name this one as their parent."""
    resources = request.app[RESOURCES]
    _, run = run_id(request)
    page = slice_of(request)
    await resources.catalog.wait_until_current()
    binding = binding_of(request)
    runs, total = await resources.lineage_events.children(run, page, binding)
    if not total and visible(binding, await resources.reader.read(run)) is None:
        raise run_not_found(request)
    lineage = await lineage_of_runs(request, runs)
    return json_response(request, dump(views.runs_view(runs[: max(1, lineage.known)], total, lineage.found)))


async def tree(request: web.Request) -> web.Response:
    """Read the tree of runs that a run is part of."""
    resources, parameters = request.app[RESOURCES], parameters_of(request)
    _, run = run_id(request)
    extent, limit = Extent(parameters[_ABOVE], parameters[_DEPTH]), parameters[PAGE_LIMIT]
    binding, cursor = binding_of(request), parameters[_CURSOR]
    await resources.catalog.wait_until_current()
    found = await resources.run_trees.read(run, extent, cursor, limit, binding)
    if found is None:
        if visible(binding, await resources.reader.read(run)) is None:
            raise run_not_found(request)
        if cursor is not None:
            raise foreign_cursor()
        found = RunTree(run, [], None, is_whole=True)
    return json_response(request, dump(views.tree_view(found)))


ROUTES = (
    Route(
        method="GET",
        path=f"{RUN}/facets",
        handler=facets,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.RUNS,
        summary="Read the facets of a run or of its job",
        parameters=(_TYPE,),
        answers={200: responses.Facets},
        errors=(RunNotFound,),
    ),
    Route(
        method="GET",
        path=f"{RUN}/children",
        handler=children,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.RUNS,
        summary="List the runs that name this one as their parent",
        parameters=(LIMIT, OFFSET),
        answers={200: responses.Runs},
        errors=(RunNotFound,),
    ),
    Route(
        method="GET",
        path=f"{RUN}/tree",
        handler=tree,
        scope=Scope.READ,
        reach=Reach.WITHIN,
        tag=Tag.RUNS,
        summary="Read the tree of runs that a run is part of",
        description="The topmost run that it is below, by what runs name as their parents, and all runs below that "
        f"one, in brief: at most {MAX_RUNS:,} of them. With `above=0` the tree begins with the run itself.",
        parameters=(_ABOVE, _DEPTH, PAGE_LIMIT, _CURSOR),
        answers={200: brief_responses.RunTree},
        errors=(RunNotFound,),
    ),
)

// A graph as it is drawn: boxes, links between them or between their rows, and what is connected with what.

import type { ColumnGraph, ColumnNode, DatasetNode, JobNode, LineageGraph, Run } from "../lib/api_types";
import type { Layout, LayoutInput } from "./layout";

export const WIDTH = 230;
export const HEIGHT = 46;
export const ROW = 30;
const HEAD = 46;
const LINK_GAP = 5; // between links of the same two boxes, on their way past others

export interface Row {
  id: string; // of the column
  name: string;
  node: ColumnNode;
}

export interface Box {
  id: string;
  kind: "job" | "dataset";
  namespace: string;
  name: string;
  height: number;
  rows: Row[];
  run: Run | null; // the latest one of a job
  runId: string | null; // at a past time only its id is known
  node: JobNode | DatasetNode | null;
}

export interface Link {
  source: string; // ids of boxes, or of rows
  target: string;
  from: number; // indexes of boxes
  to: number;
  fromRow: number; // -1: the box itself
  toRow: number;
}

export interface Model {
  boxes: Box[];
  links: Link[];
  places: Map<string, number>; // of boxes and rows: the index of the box
  up: Map<string, string[]>;
  down: Map<string, string[]>;
}

/** Returns a name that fits into a box: the end of a long one, which tells more than its beginning. */
export function shortName(name: string): string {
  return name.length > 25 ? `…${name.slice(-24)}` : name;
}

function connected(boxes: Box[], pairs: Iterable<[string, string]>): Model {
  const places = new Map<string, number>();
  const rows = new Map<string, number>();
  boxes.forEach((box, index) => {
    places.set(box.id, index);
    box.rows.forEach((row, place) => {
      places.set(row.id, index);
      rows.set(row.id, place);
    });
  });
  const links: Link[] = [];
  const up = new Map<string, string[]>();
  const down = new Map<string, string[]>();
  const seen = new Set<string>();
  const put = (map: Map<string, string[]>, key: string, value: string): void => {
    const all = map.get(key);
    if (all) all.push(value);
    else map.set(key, [value]);
  };
  for (const [source, target] of pairs) {
    const from = places.get(source);
    const to = places.get(target);
    const key = `${source}\n${target}`;
    if (from === undefined || to === undefined || seen.has(key)) continue;
    seen.add(key);
    links.push({ source, target, from, to, fromRow: rows.get(source) ?? -1, toRow: rows.get(target) ?? -1 });
    put(down, source, target);
    put(up, target, source);
  }
  return { boxes, links, places, up, down };
}

function* edgesOf(graph: LineageGraph): Iterable<[string, string]> {
  for (const node of graph.graph) for (const edge of node.outEdges) yield [edge.origin, edge.destination];
}

export function modelOf(graph: LineageGraph): Model {
  const boxes = graph.graph.map((node): Box => {
    const { namespace, name } = node.data;
    const job = node.type === "JOB" ? node.data : null;
    return {
      id: node.id,
      kind: job ? "job" : "dataset",
      namespace,
      name,
      height: HEIGHT,
      rows: [],
      run: job?.latestRun ?? null,
      runId: job?.currentRunUuid ?? null,
      node,
    };
  });
  return connected(boxes, edgesOf(graph));
}

/** Edges of columns: `inEdges` have the column as their origin, and what it is made of as their destination. */
function* edgesOfColumns(graph: ColumnGraph): Iterable<[string, string]> {
  for (const node of graph.graph) {
    for (const edge of node.inEdges) yield [edge.destination, edge.origin];
    for (const edge of node.outEdges) yield [edge.origin, edge.destination];
  }
}

export function modelOfColumns(graph: ColumnGraph): Model {
  const boxes = new Map<string, Box>();
  for (const node of graph.graph) {
    const { namespace, dataset, field } = node.data;
    const id = `dataset:${namespace}:${dataset}`;
    let box = boxes.get(id);
    if (!box) boxes.set(id, (box = { id, kind: "dataset", namespace, name: dataset, height: HEAD, rows: [], run: null, runId: null, node: null }));
    box.rows.push({ id: node.id, name: field, node });
    box.height = HEAD + box.rows.length * ROW + 4;
  }
  return connected([...boxes.values()], edgesOfColumns(graph));
}

/** Returns the links between the same two boxes together, in the order of their rows; none of a box with itself. */
function bundles({ links }: Model): Link[][] {
  const found = new Map<string, Link[]>();
  for (const link of links) {
    if (link.from === link.to) continue;
    const key = `${link.from} ${link.to}`;
    const bundle = found.get(key);
    if (bundle) bundle.push(link);
    else found.set(key, [link]);
  }
  return [...found.values()].map((bundle) => bundle.sort((one, other) => one.fromRow - other.fromRow || one.toRow - other.toRow));
}

export function layoutInput(model: Model): LayoutInput {
  const edges: number[] = [];
  const thickness: number[] = [];
  for (const bundle of bundles(model)) {
    edges.push(bundle[0]?.from ?? 0, bundle[0]?.to ?? 0);
    thickness.push((bundle.length - 1) * LINK_GAP);
  }
  return { heights: model.boxes.map((box) => box.height), edges, width: WIDTH, thickness };
}

/** Returns the way of each link: x, y, x, y …, from the right of a box to the left of another. */
export function routesOf(model: Model, layout: Layout): number[][] {
  const bends = new Map<Link, number[]>();
  bundles(model).forEach((bundle, edge) => {
    bundle.forEach((link, index) => {
      const aside = (index - (bundle.length - 1) / 2) * LINK_GAP;
      bends.set(link, (layout.routes[edge] ?? []).map((each, place) => (place % 2 === 0 ? each : each + aside)));
    });
  });
  const end = (box: number, row: number): number => {
    const top = layout.y[box] ?? 0;
    return row < 0 ? top + (model.boxes[box]?.height ?? HEIGHT) / 2 : top + HEAD + row * ROW + ROW / 2;
  };
  return model.links.map((link) => [
    (layout.x[link.from] ?? 0) + WIDTH,
    end(link.from, link.fromRow),
    ...(bends.get(link) ?? []),
    layout.x[link.to] ?? 0,
    end(link.to, link.toRow),
  ]);
}

/** Returns everything that is reached from a box or a row in one direction, and itself. */
export function reached(start: string, next: ReadonlyMap<string, string[]>): Set<string> {
  const found = new Set([start]);
  for (const each of found) for (const other of next.get(each) ?? []) found.add(other);
  return found;
}

export type Fold = "up" | "down";

/** Returns the part of a graph that is left when sides of boxes are folded: what is reached from `centre` without them. */
export function foldedModel(model: Model, centre: string, folds: ReadonlySet<string>): Model {
  if (folds.size === 0 || !model.places.has(centre)) return model;
  const shown = new Set([centre]);
  for (const each of shown) {
    if (!folds.has(`up ${each}`)) for (const other of model.up.get(each) ?? []) shown.add(other);
    if (!folds.has(`down ${each}`)) for (const other of model.down.get(each) ?? []) shown.add(other);
  }
  const boxes = model.boxes.filter((box) => shown.has(box.id));
  return connected(boxes, model.links.filter((link) => shown.has(link.source) && shown.has(link.target)).map((link) => [link.source, link.target]));
}

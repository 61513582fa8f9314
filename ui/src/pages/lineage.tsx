// The graph of what is made of what: jobs and datasets, or columns, around a node, now or at a past time.

import type { JSX } from "preact";
import { useMemo, useRef } from "preact/hooks";
import { CurlButton, Empty, Problem, useTitle } from "../components/basics";
import { BehindTag } from "../components/behind";
import { AsOf, MomentBar } from "../components/moment_bar";
import { type Query, target } from "../lib/api";
import { lineage } from "../lib/lineage_api";
import { carried, isPast, type Moment, momentOf } from "../lib/moment";
import { useAnswer } from "../lib/query";
import { href, parts, paths, query, setQuery } from "../lib/router";
import { useStream, useThrottled } from "../lib/stream";
import { ms } from "../lib/time";
import { Controls, depthOf } from "../lineage/controls";
import { GraphView } from "../lineage/graph_view";
import { type Box, type Fold, foldedModel, layoutInput, type Model, modelOf, modelOfColumns, reached } from "../lineage/model";
import { NodeList } from "../lineage/node_list";
import { nameOf, Panel } from "../lineage/panel";
import { Start } from "../lineage/start";
import { useLayout } from "../lineage/use_layout";

const RELOAD_MS = 5_000;
const MOST_NODES = 5_000;
const FIRST_DAY_MS = 86_400_000;

/** Returns the node in the address: ?node=ID, or as in the addresses of Marquez's interface, /lineage/job/NAMESPACE/NAME. */
function nodeOf(): string | null {
  const [, kind, namespace, name] = parts.value;
  if (kind !== undefined) return namespace !== undefined && name !== undefined ? `${kind}:${namespace}:${name}` : null;
  return query.value.get("node");
}

export function LineagePage(): JSX.Element {
  const node = nodeOf();
  useTitle("Lineage");
  return node === null ? <Start /> : <GraphPage key={node} node={node} />;
}

interface Read {
  model: Model;
  centre: string;
  truncated: number; // how many nodes have neighbours that are left out
  from: number; // when the oldest node was first seen
  behind: string | null; // how much of what was recorded last is missing
}

function centreOf(model: Model, node: string): string {
  if (model.places.has(node)) return node;
  const decoded = node.replace(/%[0-9a-f]{2}/gi, (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  });
  const other = model.boxes.find((box) => box.id === decoded || node.endsWith(`:${box.name}`));
  return other?.id ?? model.boxes[0]?.id ?? node; // an other name of a dataset leads to its primary one
}

/** Returns the part of a graph of columns that lies in a direction from those of the node. */
function directed(model: Model, node: string, direction: string): Model {
  if (direction === "both") return model;
  const box = model.boxes[model.places.get(node) ?? -1];
  const starts = box?.id === node ? box.rows.map((row) => row.id) : [node];
  const kept = new Set(starts.flatMap((start) => [...reached(start, direction === "up" ? model.up : model.down)]));
  const graph = model.boxes.flatMap((each) => each.rows.filter((row) => kept.has(row.id)).map((row) => row.node));
  return modelOfColumns({ graph });
}

async function readGraph(node: string, columns: boolean, parameters: Query, signal: AbortSignal): Promise<Read> {
  if (columns) {
    const { direction, ...others } = parameters;
    const answer = await lineage.columns({ ...others, withDownstream: direction !== "up" }, signal);
    const whole = modelOfColumns(answer);
    const model = directed(whole, centreOf(whole, node), String(direction));
    return { model, centre: centreOf(model, node), truncated: answer.truncatedAt?.length ?? 0, from: Date.now() - FIRST_DAY_MS, behind: answer.behind };
  }
  const answer = await lineage.graph(parameters, signal);
  const model = modelOf(answer);
  const from = answer.graph.reduce((least, each) => Math.min(least, ms(each.data.createdAt)), Date.now() - FIRST_DAY_MS);
  return { model, centre: centreOf(model, node), truncated: answer.truncatedAt?.length ?? 0, from, behind: answer.behind };
}

function foldsOf(): Set<string> {
  try {
    const found: unknown = JSON.parse(query.value.get("folds") ?? "[]");
    return new Set(Array.isArray(found) ? found.filter((each) => typeof each === "string") : []);
  } catch {
    return new Set();
  }
}

function GraphPage({ node }: { node: string }): JSX.Element {
  const moment = momentOf();
  const past = isPast(moment);
  const columns = query.value.get("columns") === "true" || node.startsWith("datasetField:");
  const direction = query.value.get("direction") ?? "both";
  const parameters: Query = {
    nodeId: node,
    depth: depthOf(),
    direction,
    limit: MOST_NODES,
    ...moment,
    ...(columns ? {} : {
      edges: !past && query.value.get("earlier") === "true" ? "all" : null,
      withParents: !past && query.value.get("parents") === "true" ? true : null,
    }),
  };
  const answer = useAnswer(`graph/${columns}/${JSON.stringify(parameters)}`, (signal) => readGraph(node, columns, parameters, signal));
  const last = useRef<Read | undefined>(undefined);
  if (answer.data) last.current = answer.data;
  const read = answer.data ?? (answer.error ? undefined : last.current);
  const reload = useThrottled(answer.reload, RELOAD_MS);
  useStream(() => {
    if (!past && !columns) reload();
  });
  const path = columns
    ? target("/column-lineage", { nodeId: node, depth: depthOf(), withDownstream: direction !== "up", limit: MOST_NODES, ...moment })
    : target("/lineage", parameters);
  return (
    <>
      <div class="head">
        <h1>Lineage</h1>
        <span class="faint cut about">{read ? `${nameOf(read.model, read.centre)} · ${read.model.boxes.length.toLocaleString()} ${columns ? "datasets" : "nodes"}` : node}</span>
        {read && read.truncated > 0 && (
          <span class="tag warn" role="status" title="Ask for the graph around a node at its border, or for less depth">
            not all: {read.truncated.toLocaleString()} nodes have neighbours that are left out
          </span>
        )}
        <BehindTag answer={answer} />
        <CurlButton path={path} />
      </div>
      <MomentBar moment={moment} from={read?.from ?? Date.now() - FIRST_DAY_MS} />
      <AsOf moment={moment} what="the graph" />
      {answer.error && <Failed answer={answer} node={node} past={past} />}
      {read ? <Shown read={read} columns={columns} moment={moment} /> : !answer.error && <div class="panel graph-panel" aria-busy="true" aria-label="Loading" />}
    </>
  );
}

function Failed({ answer, node, past }: { answer: ReturnType<typeof useAnswer<Read>>; node: string; past: boolean }): JSX.Element | null {
  if (!answer.error) return null;
  if (answer.error.status !== 404) return <Problem error={answer.error} retry={answer.reload} />;
  return (
    <Empty title={past ? "Nothing was known of it then" : "There is no such node"}>
      <p><code>{node}</code> was not reported, is deleted, or the API key may not see it.</p>
      <a class="button" href={href("/lineage")}>Choose another</a>
    </Empty>
  );
}

function Shown({ read, columns, moment }: { read: Read; columns: boolean; moment: Moment }): JSX.Element {
  const { model: whole, centre } = read;
  const foldText = query.value.get("folds");
  const folds = useMemo(foldsOf, [foldText]);
  const model = useMemo(() => foldedModel(whole, centre, folds), [whole, centre, folds]);
  const laid = useLayout(model.boxes.length === 0 ? null : model, layoutInput);
  const chosenText = query.value.get("chosen") ?? (centre.startsWith("datasetField:") ? centre : null);
  const find = (query.value.get("find") ?? "").trim().toLowerCase();
  const shown = laid?.subject ?? model;
  const chosen = chosenText !== null && shown.places.has(chosenText) ? chosenText : null;
  const lit = useMemo(() => (chosen === null ? null : new Set([...reached(chosen, shown.up), ...reached(chosen, shown.down)])), [chosen, shown]);
  const found = useMemo(() => matching(shown, find), [shown, find]);
  const choose = (id: string | null): void => setQuery({ chosen: id }, true);
  const fold = (box: Box, side: Fold): void => {
    const next = new Set(folds);
    if (!next.delete(`${side} ${box.id}`)) next.add(`${side} ${box.id}`);
    setQuery({ folds: next.size === 0 ? null : JSON.stringify([...next]) });
  };
  const order = [...found];
  const at = chosen === null ? -1 : order.indexOf(chosen);
  const step = (by: number): void => {
    const next = order[(at + by + order.length) % Math.max(1, order.length)];
    if (next !== undefined) choose(next);
  };
  const more = { ...carried(moment), ...(columns ? { columns: "true" } : {}) };
  const addressOf = (id: string): string => {
    const next = new URLSearchParams(query.peek());
    next.set("chosen", id);
    return `${location.pathname}?${next}`;
  };
  const hiddenBeside = (box: Box, side: Fold): number =>
    folds.size === 0 ? 0 : (whole[side].get(box.id) ?? []).filter((id) => !shown.places.has(id)).length;
  if (whole.boxes.length === 0) {
    return <Empty title="No event tells which columns are made of which here"><p>Producers tell it in the facet <code>columnLineage</code> of an output.</p></Empty>;
  }
  return (
    <>
      <Controls columns={columns} past={isPast(moment)} finding={{ count: found.size, at, step }} />
      <div class="panel graph-panel" data-layout-ms={laid ? Math.round(laid.time) : undefined}>
        {!laid ? (
          <div class="graph-frame" aria-busy="true" aria-label="The graph is laid out" />
        ) : query.value.get("list") === "true" ? (
          <NodeList model={shown} layout={laid.layout} found={found} searching={find !== ""} around={(id) => href(paths.lineage(id, more))} />
        ) : (
          <GraphView model={shown} layout={laid.layout} lit={lit} found={found} chosen={chosen} centre={centre} moment={moment}
            hiddenBeside={hiddenBeside} addressOf={addressOf} onChoose={choose}
            onUnfold={(box, side) => (folds.has(`${side} ${box.id}`) ? fold(box, side) : setQuery({ folds: null }))} />
        )}
        {chosen !== null && query.value.get("list") !== "true" && (
          <Panel model={shown} chosen={chosen} centre={centre} columns={columns} moment={moment} folds={folds} onChoose={choose} onFold={fold} />
        )}
      </div>
      <div role="status" class="visually-hidden">{chosen === null ? "" : `${nameOf(shown, chosen)}: ${shown.up.get(chosen)?.length ?? 0} before, ${shown.down.get(chosen)?.length ?? 0} after`}</div>
    </>
  );
}

/** Returns the boxes and rows that have all words of a text in their names. */
function matching(model: Model, text: string): Set<string> {
  const words = text.split(/\s+/).filter(Boolean);
  const found = new Set<string>();
  if (words.length === 0) return found;
  const has = (name: string): boolean => words.every((word) => name.toLowerCase().includes(word));
  for (const box of model.boxes) {
    if (box.rows.length === 0 && has(`${box.namespace} / ${box.name}`)) found.add(box.id);
    for (const row of box.rows) if (has(`${box.name}.${row.name}`)) found.add(row.id);
  }
  return found;
}

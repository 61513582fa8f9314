// A run with its parents, children and siblings as bars over time: the DAG run, its tasks, their tries, what they started.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { api } from "../lib/api";
import type { Run, RunOfTree, RunTree } from "../lib/api_types";
import { type Answer, useAnswer } from "../lib/query";
import { href, paths } from "../lib/router";
import { useStream, useThrottled } from "../lib/stream";
import { duration, ms, now, ticks, tickText } from "../lib/time";
import { Shape, useWidth } from "./basics";
import { field } from "./run_row";
import { Windowed } from "./windowed";

const ROW = 26;
const LABELS = 300;
const PAGE = 1_000;
const MOST_RUNS = 5_000;
const HIGHEST_PANEL = 16; // rows
const RELOAD_MS = 3_000; // for each page of the tree

export interface Branch {
  run: RunOfTree;
  name: string; // without the name of the parent's job, where it begins with it
  depth: number;
  turn: string; // "2 of 3": the second of three runs of one job below the same parent
}

export interface Tree {
  branches: Branch[];
  isWhole: boolean;
  unknownRoot: string | null; // the id of the topmost run, where nothing is known of it
}

export function parentOf(run: Run): string | null {
  const id = field(field(run.facets["parent"], "run"), "runId");
  return typeof id === "string" ? id : null;
}

/** Says of each of some siblings which of the runs of its job it is: those that are tried again, or mapped. */
function turnsOf(siblings: readonly RunOfTree[]): string[] {
  const jobOf = (run: RunOfTree): string => `${run.namespace}\n${run.job}`;
  const counts = new Map<string, number>();
  const places = siblings.map((run) => {
    const place = (counts.get(jobOf(run)) ?? 0) + 1;
    counts.set(jobOf(run), place);
    return place;
  });
  return siblings.map((run, index) => {
    const count = counts.get(jobOf(run)) ?? 1;
    return count > 1 ? `${places[index]} of ${count}` : "";
  });
}

/** Returns runs that come level by level with each one behind its parent, children in the order of their starts. */
function treeOf(root: string, runs: readonly RunOfTree[], isWhole: boolean): Tree {
  const childrenOf = new Map<string, RunOfTree[]>();
  const seen = new Set([root]);
  for (const run of runs) {
    if (run.parent === null || seen.has(run.id)) continue;
    seen.add(run.id);
    const siblings = childrenOf.get(run.parent);
    if (siblings) siblings.push(run);
    else childrenOf.set(run.parent, [run]);
  }
  const branches: Branch[] = [];
  function add(run: RunOfTree, depth: number, above: string, turn: string): void {
    branches.push({ run, depth, turn, name: above && run.job.startsWith(`${above}.`) ? run.job.slice(above.length + 1) : run.job });
    addBelow(run.id, depth + 1, run.job);
  }
  function addBelow(parent: string, depth: number, above: string): void {
    const children = (childrenOf.get(parent) ?? []).toSorted((one, other) => startOf(one) - startOf(other));
    const turns = turnsOf(children);
    for (const [index, child] of children.entries()) add(child, depth, above, turns[index] ?? "");
  }
  const top = runs.find((run) => run.id === root);
  if (top) add(top, 0, "", "");
  else addBelow(root, 0, "");
  return { branches, isWhole, unknownRoot: top ? null : root };
}

/** Reads the tree of which a run is a part, page by page; shows what is read of it. */
async function readTree(id: string, signal: AbortSignal, show: (part: Tree) => void): Promise<Tree> {
  const runs: RunOfTree[] = [];
  let cursor: string | null = null;
  for (;;) {
    const page: RunTree = await api.tree(id, { limit: PAGE, cursor }, signal);
    runs.push(...page.runs);
    const tree = treeOf(page.root, runs, page.isWhole);
    cursor = page.next;
    if (cursor === null || runs.length >= MOST_RUNS) return tree;
    show(tree);
  }
}

function startOf(run: RunOfTree): number {
  return ms(run.startedAt ?? run.createdAt);
}

/** Reads the tree of a run, and again when something is recorded of it. What grows no more in height is shown before all of it is read. */
export function useTree(run: Run | undefined): Answer<Tree> {
  const id = run?.id ?? "";
  const answer = useAnswer<Tree>(run ? `tree/${id}` : null, (signal, show) => readTree(id, signal, show));
  const tree = answer.data;
  const reload = useThrottled(answer.reload, RELOAD_MS * Math.ceil(Math.max(1, tree?.branches.length ?? 0) / PAGE));
  useEffect(() => {
    if (run && tree && !tree.branches.some((branch) => branch.run.id === run.id && branch.run.state === run.state)) answer.reload();
  }, [run?.state]);
  useStream((events) => {
    const ids = new Set(tree?.branches.map((branch) => branch.run.id));
    if (events === null || events.some((event) => ids.has(event.id) || (event.parentRun !== null && ids.has(event.parentRun)))) reload();
  });
  return answer.loading && tree && tree.branches.length < HIGHEST_PANEL ? { ...answer, data: undefined } : answer;
}

export function Gantt({ run, tree, past }: { run: Run; tree: Tree | undefined; past: boolean }): JSX.Element | null {
  if (!tree || tree.branches.length < 2) return null;
  return (
    <section class="panel" aria-label="Parents and children">
      <header>
        <h2>Parents and children</h2>
        <span class="faint">
          {tree.branches.length.toLocaleString()} runs{tree.isWhole ? "" : "; there are more, which are not shown"}
          {tree.unknownRoot && <>, below the run <code title={tree.unknownRoot}>{tree.unknownRoot.slice(0, 8)}</code>, of which nothing is known</>}
        </span>
        {past && <span class="tag">as they are now</span>}
        <span class="space" />
        {tree.branches.some((branch) => branch.run.parent === run.id) && <a href={href(paths.runs({ parent: run.id, order: "asc" }))}>children as a list</a>}
      </header>
      <Bars branches={tree.branches} current={run.id} />
    </section>
  );
}

export function Bars({ branches, current }: { branches: readonly Branch[]; current: string }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const running = branches.some((branch) => branch.run.state === "RUNNING");
  const present = running ? now.value : 0;
  const endOf = (run: RunOfTree): number => (run.endedAt ? ms(run.endedAt) : run.state === "RUNNING" ? present : startOf(run));
  const from = branches.reduce((least, branch) => Math.min(least, startOf(branch.run)), Infinity);
  const to = Math.max(branches.reduce((most, branch) => Math.max(most, endOf(branch.run)), -Infinity), from + 1_000);
  const labels = Math.min(LABELS, width * 0.45);
  const space = Math.max(60, width - labels - 100);
  const x = (at: number): number => labels + ((at - from) / (to - from)) * space;
  const columns = ticks(from, to, Math.max(2, Math.floor(space / 100)));
  return (
    <div ref={box} class="gantt">
      <svg width={width} height="22" aria-hidden="true">
        {columns.at.map((at) => (
          <text key={at} x={x(at)} y="15" text-anchor="middle">{tickText(at, columns.step)}</text>
        ))}
      </svg>
      <Windowed items={branches} rowHeight={ROW} height={`${Math.min(branches.length, HIGHEST_PANEL) * ROW}px`} label="Runs"
        of={[from, to, width, current]}
        selected={branches.findIndex((branch) => branch.run.id === current)}
        row={({ run, depth, name, turn }, _, top) => {
          const start = x(startOf(run));
          const end = Math.max(x(endOf(run)), start + 3);
          const length = endOf(run) - startOf(run);
          return (
            <a key={run.id} class={`gantt-row ${run.state}`} href={href(paths.run(run.id))} aria-current={run.id === current ? "true" : undefined}
              style={{ top: `${top}px`, height: `${ROW}px` }}
              title={`${run.namespace} / ${run.job}\n${run.state}, ${duration(length)}${turn && `\n${turn} runs of this job here`}`}>
              <span class="cut" style={{ width: `${labels - 12}px`, paddingLeft: `${Math.min(depth, 6) * 14}px` }}>
                <Shape state={run.state} /> {name}
                {turn && <span class="faint"> · {turn}</span>}
              </span>
              <i class={run.state === "RUNNING" ? "under-way" : ""} style={{ left: `${start}px`, width: `${end - start}px` }} />
              <span class="faint small nowrap" style={{ left: `${end + 6}px` }}>{duration(length)}</span>
            </a>
          );
        }} />
    </div>
  );
}

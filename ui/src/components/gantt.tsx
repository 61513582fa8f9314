// A run with its parents, children and siblings as bars over time: the DAG run, its tasks, their tries, what they started.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { api } from "../lib/api";
import type { Run } from "../lib/api_types";
import { type Answer, useAnswer } from "../lib/query";
import { href, paths } from "../lib/router";
import { useStream, useThrottled } from "../lib/stream";
import { duration, ms, now, ticks, tickText } from "../lib/time";
import { Shape, useWidth } from "./basics";
import { attemptOf, field } from "./run_row";
import { Windowed } from "./windowed";

const ROW = 26;
const LABELS = 300;
const MOST_RUNS = 1_000;
const MOST_CHILDREN = 200;
const HIGHEST = 8;
const HIGHEST_PANEL = 16; // rows
const AT_ONCE = 3; // requests; the browser has six connections to the service
const RELOAD_MS = 3_000;

export interface Branch {
  run: Run;
  name: string; // without the name of the parent's job, where it begins with it
  depth: number;
}

export interface Tree {
  branches: Branch[];
  omitted: number;
}

export function parentOf(run: Run): string | null {
  const id = field(field(run.facets["parent"], "run"), "runId");
  return typeof id === "string" ? id : null;
}

async function root(run: Run, signal: AbortSignal): Promise<Run> {
  let top = run;
  const seen = new Set([run.id]);
  for (let level = 0; level < HIGHEST; level++) {
    const parent = parentOf(top);
    if (!parent || seen.has(parent)) break;
    seen.add(parent);
    try {
      top = await api.run(parent, {}, signal);
    } catch {
      break; // a parent that nothing was reported of, or that this key may not see
    }
  }
  return top;
}

/** Returns the runs below `top`, each behind its parent, children in the order of their starts. */
function branchesOf(top: Run, childrenOf: ReadonlyMap<string, readonly Run[]>): Branch[] {
  const branches: Branch[] = [];
  function add(run: Run, depth: number, above: string): void {
    const own = run.job?.name ?? run.id;
    branches.push({ run, depth, name: above && own.startsWith(`${above}.`) ? own.slice(above.length + 1) : own });
    for (const child of childrenOf.get(run.id) ?? []) add(child, depth + 1, own);
  }
  add(top, 0, "");
  return branches;
}

/** Reads the tree of which a run is a part, from its topmost known parent, level by level; shows what is read of it. */
export async function readTree(run: Run, signal: AbortSignal, show: (part: Tree) => void): Promise<Tree> {
  const top = await root(run, signal);
  const childrenOf = new Map<string, readonly Run[]>();
  const seen = new Set([top.id]);
  let omitted = 0;
  async function readChildren(parents: Run[]): Promise<void> {
    for (let parent = parents.shift(); parent && seen.size < MOST_RUNS; parent = parents.shift()) {
      const page = await api.children(parent.id, { limit: MOST_CHILDREN }, signal);
      const children = page.runs.filter((child) => !seen.has(child.id)).slice(0, Math.max(0, MOST_RUNS - seen.size));
      omitted += page.totalCount - children.length;
      for (const child of children) seen.add(child.id);
      childrenOf.set(parent.id, children.toSorted((one, other) => startOf(one) - startOf(other)));
    }
  }
  let level = [top];
  for (let depth = 0; depth < HIGHEST && level.length > 0; depth++) {
    const waiting = [...level];
    await Promise.all(Array.from({ length: AT_ONCE }, () => readChildren(waiting)));
    level = level.flatMap((each) => childrenOf.get(each.id) ?? []);
    if (level.length > 0) show({ branches: branchesOf(top, childrenOf), omitted });
  }
  return { branches: branchesOf(top, childrenOf), omitted };
}

function startOf(run: Run): number {
  return ms(run.startedAt ?? run.createdAt);
}

/** Reads the tree of a run, and again when something is recorded of it. What grows no more in height is shown before all of it is read. */
export function useTree(run: Run | undefined): Answer<Tree> {
  const answer = useAnswer<Tree>(run ? `tree/${run.id}` : null, async (signal, show) => (run ? readTree(run, signal, show) : { branches: [], omitted: 0 }));
  const tree = answer.data;
  const reload = useThrottled(answer.reload, RELOAD_MS);
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
          {tree.branches.length.toLocaleString()} runs{tree.omitted > 0 ? `, ${tree.omitted.toLocaleString()} more are not shown` : ""}
        </span>
        {past && <span class="tag">as they are now</span>}
        <span class="space" />
        {tree.branches.some((branch) => parentOf(branch.run) === run.id) && <a href={href(paths.runs({ parent: run.id, order: "asc" }))}>children as a list</a>}
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
  const endOf = (run: Run): number => (run.endedAt ? ms(run.endedAt) : run.state === "RUNNING" ? present : startOf(run));
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
        row={({ run, depth, name }, _, top) => {
          const start = x(startOf(run));
          const end = Math.max(x(endOf(run)), start + 3);
          const length = endOf(run) - startOf(run);
          return (
            <a key={run.id} class={`gantt-row ${run.state}`} href={href(paths.run(run.id))} aria-current={run.id === current ? "true" : undefined}
              style={{ top: `${top}px`, height: `${ROW}px` }}
              title={`${run.job?.namespace ?? ""} / ${run.job?.name ?? run.id}\n${run.state}, ${duration(length)}`}>
              <span class="cut" style={{ width: `${labels - 12}px`, paddingLeft: `${Math.min(depth, 6) * 14}px` }}>
                <Shape state={run.state} /> {name}
                {attemptOf(run) > 1 && <span class="faint"> · try {attemptOf(run)}</span>}
              </span>
              <i class={run.state === "RUNNING" ? "under-way" : ""} style={{ left: `${start}px`, width: `${end - start}px` }} />
              <span class="faint small nowrap" style={{ left: `${end + 6}px` }}>{duration(length)}</span>
            </a>
          );
        }} />
    </div>
  );
}

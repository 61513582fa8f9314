// A run with its parents, children and siblings as bars over time: the DAG run, its tasks, their tries, what they started.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { api } from "../lib/api";
import type { Run } from "../lib/api_types";
import { useAnswer } from "../lib/query";
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

/** Reads the tree of which a run is a part, from its topmost known parent, in the order of starts. */
export async function readTree(run: Run, signal: AbortSignal): Promise<Tree> {
  const top = await root(run, signal);
  const branches: Branch[] = [];
  const seen = new Set<string>();
  let omitted = 0;
  async function add(each: Run, depth: number, above: string): Promise<void> {
    if (seen.has(each.id) || depth > HIGHEST) return;
    seen.add(each.id);
    const own = each.job?.name ?? each.id;
    branches.push({ run: each, depth, name: above && own.startsWith(`${above}.`) ? own.slice(above.length + 1) : own });
    if (branches.length >= MOST_RUNS) return;
    const page = await api.children(each.id, { limit: MOST_CHILDREN }, signal);
    omitted += page.totalCount - page.runs.length;
    const children = page.runs.toSorted((one, other) => startOf(one) - startOf(other));
    for (const child of children) await add(child, depth + 1, own);
  }
  await add(top, 0, "");
  return { branches, omitted };
}

function startOf(run: Run): number {
  return ms(run.startedAt ?? run.createdAt);
}

export function Gantt({ run }: { run: Run }): JSX.Element | null {
  const answer = useAnswer(`tree/${run.id}`, (signal) => readTree(run, signal));
  const tree = answer.data;
  const reload = useThrottled(answer.reload, RELOAD_MS);
  useEffect(() => {
    if (tree && !tree.branches.some((branch) => branch.run.id === run.id && branch.run.state === run.state)) answer.reload();
  }, [run.state]);
  useStream((events) => {
    const ids = new Set(tree?.branches.map((branch) => branch.run.id));
    if (events === null || events.some((event) => ids.has(event.id) || (event.parentRun !== null && ids.has(event.parentRun)))) reload();
  });
  if (!tree || tree.branches.length < 2) return null;
  return (
    <section class="panel" aria-label="Parents and children">
      <header>
        <h2>Parents and children</h2>
        <span class="faint">
          {tree.branches.length.toLocaleString()} runs{tree.omitted > 0 ? `, ${tree.omitted.toLocaleString()} more are not shown` : ""}
        </span>
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
      <Windowed items={branches} rowHeight={ROW} height={`${Math.min(branches.length, 16) * ROW}px`} label="Runs"
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

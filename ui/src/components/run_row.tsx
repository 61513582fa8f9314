// A run as a row of a table.

import type { JSX } from "preact";
import type { Run } from "../lib/api_types";
import { href, paths } from "../lib/router";
import { FullName, Length, State, Time } from "./basics";

/** Marks of what a reader should notice beside the state. */
export function Marks({ run }: { run: Run }): JSX.Element {
  const others = (run.ends ?? []).filter((end) => end.state !== run.state).map((end) => end.state.toLowerCase());
  return (
    <>
      {others.length > 0 && <span class="tag warn" title={`Also reported: ${others.join(", ")}`}>also {others.join(", ")}</span>}
      {run.restartedAt && <span class="tag warn" title="A start was reported after the end">restarted</span>}
      {run.stateReason && <span class="tag warn" title="The end is inferred from silence">silent</span>}
      {attemptOf(run) > 1 && <span class="tag" title="The try that the scheduler counted">try {attemptOf(run)}</span>}
    </>
  );
}

/** Returns the number of the try that Airflow reports with a run; 1 where nothing is reported. */
export function attemptOf(run: Run): number {
  const instance = field(field(run.facets["airflow"], "taskInstance"), "try_number");
  return typeof instance === "number" ? instance : 1;
}

export function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

const LONGEST_MESSAGE = 500;

/** What a row shows of facets: without the others, many more runs are in an answer. */
export const IN_ROW = { facet: "airflow,errorMessage" };

/** Returns what a row shows of a run: a list of thousands must not keep what was reported with each. */
export function inRow(run: Run): Run {
  const message = errorOf(run);
  const attempt = attemptOf(run);
  // Copied: a part of a string keeps all of it in memory.
  const cut = message !== null && message.length > LONGEST_MESSAGE ? structuredClone(`${message.slice(0, LONGEST_MESSAGE)}…`) : message;
  const facets = { ...(cut !== null && { errorMessage: { message: cut } }), ...(attempt > 1 && { airflow: { taskInstance: { try_number: attempt } } }) };
  return { ...run, args: {}, inputDatasetVersions: [], outputDatasetVersions: [], facets };
}

/** Returns the message of a run's `errorMessage` facet. */
export function errorOf(run: Run): string | null {
  const message = field(run.facets["errorMessage"], "message");
  return typeof message === "string" ? message : null;
}

interface Props {
  run: Run;
  index: number;
  top: number;
  selected: boolean;
  fresh: boolean;
  longest: number;
}

export function RunRow({ run, index, top, selected, fresh, longest }: Props): JSX.Element {
  const share = run.durationMs === null || longest === 0 ? 0 : run.durationMs / longest;
  const error = run.state === "FAILED" ? errorOf(run) : null;
  return (
    <div class={`line row run-line${fresh ? " fresh" : ""}`} style={{ top: `${top}px` }} role="row" aria-rowindex={index + 1}
      aria-selected={selected} id={`run-${run.id}`}>
      <span role="cell"><State state={run.state} /></span>
      <span role="cell" class="cut job-cell">
        <a class="cover" href={href(paths.run(run.id))}>
          <FullName namespace={run.job?.namespace ?? "–"} name={run.job?.name ?? run.id} />
        </a>
        {error && <span class="error-text small" title={error}> {error}</span>}
      </span>
      <span role="cell" class="marks-cell"><Marks run={run} /></span>
      <span role="cell"><Time at={run.startedAt ?? run.createdAt} /></span>
      <span role="cell" class="length-cell">
        <Length run={run} />
        {run.durationMs !== null && <span class={`bar ${run.state}`} style={{ width: `${Math.max(2, share * 100)}%` }} />}
      </span>
      <span role="cell" class="ended-cell"><Time at={run.endedAt} /></span>
      <span role="cell" class="heard-cell faint"><Time at={run.updatedAt} ago /></span>
    </div>
  );
}

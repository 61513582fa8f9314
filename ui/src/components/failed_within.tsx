// The children of a failed run that failed last, and why: a DAG run itself says at most that a task failed.

import type { JSX } from "preact";
import { api } from "../lib/api";
import type { FoundPage, Run } from "../lib/api_types";
import { type Answer, useAnswer } from "../lib/query";
import { href, paths } from "../lib/router";
import { State, Time } from "./basics";
import { hasTrace } from "./facets";
import { errorOf, IN_ROW, Marks } from "./run_row";

const SHOWN = 3;

/** Reads the children that failed, where a run failed and does not say itself why. */
export function useFailedWithin(id: string, run: Run | undefined): Answer<FoundPage> {
  const unexplained = run?.state === "FAILED" && !hasTrace(run.facets["errorMessage"]);
  return useAnswer(unexplained ? `failed-within/${id}` : null, (signal) => api.runs({ parent: id, state: "FAILED", sort: "end", limit: SHOWN, ...IN_ROW }, signal));
}

export function FailedWithin({ id, answer }: { id: string; answer: Answer<FoundPage> }): JSX.Element | null {
  const runs = answer.data?.runs ?? [];
  if (runs.length === 0) return null;
  return (
    <section class="panel failure" aria-label="Failed children">
      <header>
        <h2>Failed in this run</h2>
        <span class="space" />
        {answer.data?.next && <a href={href(paths.runs({ parent: id, state: "FAILED", sort: "end" }))}>all</a>}
      </header>
      <ul class="short-list">
        {runs.map((run) => (
          <li key={run.id}>
            <State state={run.state} short />
            <span class="cut">
              <a class="cover" href={href(paths.run(run.id))}>{run.job?.name ?? run.id}</a>
              <span class="error-text small"> {errorOf(run)}</span>
            </span>
            <span class="tags"><Marks run={run} /></span>
            <span class="faint nowrap"><Time at={run.endedAt} /></span>
          </li>
        ))}
      </ul>
    </section>
  );
}

// The children of a failed run that failed last, and why: a DAG run itself says at most that a task failed.

import type { JSX } from "preact";
import { api } from "../lib/api";
import { useAnswer } from "../lib/query";
import { href, paths } from "../lib/router";
import { State, Time } from "./basics";
import { errorOf, Marks } from "./run_row";

const SHOWN = 3;

export function FailedWithin({ id }: { id: string }): JSX.Element | null {
  const answer = useAnswer(`failed-within/${id}`, (signal) => api.runs({ parent: id, state: "FAILED", sort: "end", limit: SHOWN }, signal));
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

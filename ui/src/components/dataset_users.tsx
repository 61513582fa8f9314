// The jobs that write and read a dataset, with their latest runs.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Behind } from "../lib/api";
import type { Dataset, GraphJob, JobNode, LineageGraph } from "../lib/api_types";
import { lineage, nodes } from "../lib/lineage_api";
import { isPast, type Moment } from "../lib/moment";
import { type Answer, useAnswer } from "../lib/query";
import { href, paths } from "../lib/router";
import { JobLink, Length, Problem, Skeleton, State, Time } from "./basics";
import { BehindTag } from "./behind";
import { field } from "./run_row";

const MOST = 1_000;

export interface UsersOf {
  answer: Answer<Behind<LineageGraph>>;
  earlier: boolean; // whether edges of earlier runs are read, too
  setEarlier: (earlier: boolean) => void;
}

/** Reads which jobs write and read a dataset; again when `fresh` changes. */
export function useUsers(dataset: Dataset, moment: Moment, fresh: number): UsersOf {
  const [earlier, setEarlier] = useState(false);
  const node = nodes.dataset(dataset.namespace, dataset.name);
  const edges = earlier && !isPast(moment) ? "all" : null;
  const answer = useAnswer(`users/${node}\n${moment.knownAt}\n${moment.validAt}\n${edges}`, (signal) =>
    lineage.graph({ nodeId: node, depth: 0, limit: MOST, edges, ...moment }, signal));
  useEffect(() => {
    if (fresh > 0) answer.reload();
  }, [fresh]);
  return { answer, earlier, setEarlier };
}

export function Users({ dataset, past, users: { answer, earlier, setEarlier } }: { dataset: Dataset; past: boolean; users: UsersOf }): JSX.Element {
  const node = nodes.dataset(dataset.namespace, dataset.name);
  const jobs = (answer.data?.graph ?? []).filter((each): each is JobNode => each.type === "JOB");
  const own = (answer.data?.graph ?? []).find((each) => each.type === "DATASET" && each.data.namespace === dataset.namespace && each.data.name === dataset.name)?.id ?? node;
  const writers = jobs.filter((job) => job.outEdges.some((edge) => edge.destination === own));
  const readers = jobs.filter((job) => job.inEdges.some((edge) => edge.origin === own));
  return (
    <section class="panel" aria-label="Jobs">
      <header>
        <h2>Jobs</h2>
        {answer.data?.truncated && <span class="tag warn">more than {MOST}</span>}
        <BehindTag answer={answer} />
        <span class="space" />
        {!past && (
          <label class="small faint">
            <input type="checkbox" checked={earlier} onChange={(event) => setEarlier(event.currentTarget.checked)} /> also by earlier runs
          </label>
        )}
      </header>
      {answer.error && <Problem error={answer.error} retry={answer.reload} />}
      {!answer.data && !answer.error ? (
        <Skeleton rows={4} />
      ) : (
        <div class="body columns narrow">
          <List title="Written by" jobs={writers} dataset={dataset} none={past ? "No job wrote it then." : "No job's latest run writes it."} />
          <List title="Read by" jobs={readers} dataset={dataset} none={past ? "No job read it then." : "No job's latest run reads it."} />
        </div>
      )}
    </section>
  );
}

/** Returns the number of rows that a run reports to have written to a dataset. */
function rowsOf(job: GraphJob, dataset: Dataset): number | null {
  const written = job.latestRun?.outputDatasetVersions.find(({ datasetVersionId: id }) => id.namespace === dataset.namespace && id.name === dataset.name);
  const rows = field(written?.facets["outputStatistics"], "rowCount");
  return typeof rows === "number" ? rows : null;
}

function List({ title, jobs, dataset, none }: { title: string; jobs: readonly JobNode[]; dataset: Dataset; none: string }): JSX.Element {
  return (
    <div>
      <h3>{title}</h3>
      {jobs.length === 0 && <p class="faint small">{none}</p>}
      <ul class="users">
        {jobs.map(({ id, data: job }) => {
          const rows = rowsOf(job, dataset);
          return (
            <li key={id}>
              {job.latestRun && <State state={job.latestRun.state} short />}
              <span class="cut"><JobLink job={job.id} /></span>
              {rows !== null && <span class="faint small nowrap">{rows.toLocaleString()} rows</span>}
              {job.latestRun ? (
                <a class="small nowrap" href={href(paths.run(job.latestRun.id))}>
                  <Time at={job.latestRun.startedAt ?? job.latestRun.createdAt} /> · <Length run={job.latestRun} />
                </a>
              ) : (
                job.currentRunUuid && <a class="small mono" href={href(paths.run(job.currentRunUuid))}>{job.currentRunUuid.slice(0, 8)}</a>
              )}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

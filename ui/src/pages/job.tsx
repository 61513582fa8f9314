// One job: how long its runs take, how often they fail, and how the run under way compares.

import type { JSX } from "preact";
import { DurationBars, expected, type Expected, RunGrid } from "../components/bars";
import { CurlButton, Empty, FullName, Length, Problem, Skeleton, State, Time, useTitle } from "../components/basics";
import { DatasetLink, LineageButton } from "../components/dataset_link";
import { Facets, SafeLink } from "../components/facets";
import { JobVersions, useJobVersions } from "../components/job_versions";
import { errorOf, IN_ROW, inRow, Marks } from "../components/run_row";
import { Tags } from "../components/tags";
import { api, target } from "../lib/api";
import type { DatasetId, Job, Run } from "../lib/api_types";
import { lineage, nodes } from "../lib/lineage_api";
import { useAnswer, useSettled } from "../lib/query";
import { href, paths } from "../lib/router";
import { useStream, useThrottled } from "../lib/stream";
import { duration, ms, now } from "../lib/time";

const RUNS = 100;
const LISTED = 15;
const RELOAD_MS = 2_000;

export function JobPage({ namespace, name }: { namespace: string; name: string }): JSX.Element {
  useTitle(name);
  const job = useAnswer(`job/${namespace}\n${name}`, (signal) => api.job(namespace, name, signal));
  const runs = useAnswer(`job/runs/${namespace}\n${name}`, async (signal) => {
    const [page, recent] = await Promise.all([
      api.runsOfJob(namespace, name, { limit: RUNS, withoutFacets: true }, signal),
      api.runsOfJob(namespace, name, { limit: LISTED, ...IN_ROW }, signal),
    ]);
    const listed = new Map(recent.runs.map((run) => [run.id, run]));
    return { ...page, runs: page.runs.map((run) => inRow(listed.get(run.id) ?? run)) };
  });
  const versions = useJobVersions(namespace, name, job.data?.currentVersion);
  const whole = useSettled(job, runs, versions);
  const reload = useThrottled(() => {
    job.reload();
    runs.reload();
  }, RELOAD_MS);
  useStream((events) => {
    if (events === null || events.some((event) => event.job === name && event.namespace === namespace)) reload();
  });
  if (job.error && !job.data) {
    return job.error.status === 404 ? (
      <Empty title="There is no such job" page>
        <p>Nothing was reported of <code>{namespace} / {name}</code>, or the API key may not see it.</p>
        <a class="button" href={href("/jobs")}>All jobs</a>
      </Empty>
    ) : (
      <Problem error={job.error} retry={job.reload} />
    );
  }
  if (!job.data || !whole) return <Skeleton rows={14} />;
  const all = runs.data?.runs ?? [];
  const typical = expected(all);
  return (
    <div class="stack">
      <div class="head">
        <h1 title={`${namespace} / ${name}`}><FullName namespace={namespace} name={name} /></h1>
        {job.data.latestRun && <State state={job.data.latestRun.state} big />}
        {job.data.latestRun && <span class="faint small">latest run</span>}
        <span class="tag">{job.data.type.toLowerCase()}</span>
        <Tags tags={job.data.tags} of="the job" changed={job.reload} change={(tag, present) => lineage.tagJob(namespace, name, tag, present)} />
        <span class="space" />
        <LineageButton node={nodes.job(namespace, name)} />
        <a class="button quiet" href={href(paths.runs({ namespace, job: name }))}>{runs.data?.totalCount === 1 ? "Its run" : `All ${runs.data?.totalCount.toLocaleString() ?? ""} runs`}</a>
        <a class="button quiet" href={href(paths.events({ namespace, job: name }))}>Events</a>
        <CurlButton path={target(`/namespaces/${encodeURIComponent(namespace)}/jobs/${encodeURIComponent(name)}/runs`, { limit: RUNS })} />
      </div>
      {job.data.description && <p class="prose" tabIndex={0}>{job.data.description}</p>}
      {job.data.location && <p><SafeLink url={job.data.location} /></p>}
      {all.filter((run) => run.state === "RUNNING").slice(0, 5).map((run) => <UnderWay key={run.id} run={run} typical={typical} />)}
      <section class="panel" aria-label="Last runs">
        <header>
          <h2>{all.length === 1 ? "Last run" : `Last ${all.length} runs`}</h2>
          <span class="faint">{all.length > 0 ? summary(all, typical) : ""}</span>
        </header>
        {runs.error && <Problem error={runs.error} retry={runs.reload} />}
        {all.length > 0 ? (
          <>
            <DurationBars runs={all} typical={typical} />
            <RunGrid runs={all} />
          </>
        ) : (
          runs.data ? <p class="body faint quiet-text">This job has no runs yet.</p> : <Skeleton rows={7} />
        )}
      </section>
      <div class="columns">
        <Recent runs={all} />
        <div class="stack">
          <DatasetNames job={job.data} />
          <JobVersions answer={versions} current={job.data.currentVersion} />
          <Facets title="Facets" facets={job.data.facets} />
        </div>
      </div>
    </div>
  );
}

function summary(runs: readonly Run[], typical: Expected | null): string {
  const ended = runs.filter((run) => run.endedAt !== null);
  const failed = ended.filter((run) => run.state !== "COMPLETED").length;
  const share = ended.length === 0 ? "" : failed === 0 ? "none failed" : `${failed} of ${ended.length} failed or aborted`;
  const lengths = typical ? `median ${duration(typical.median)}, 95 % within ${duration(typical.p95)}` : "";
  return [share, lengths].filter(Boolean).join(" · ");
}

/** A run under way, beside what completed runs took. */
function UnderWay({ run, typical }: { run: Run; typical: Expected | null }): JSX.Element {
  const length = run.startedAt ? now.value - ms(run.startedAt) : 0;
  const limit = typical ? Math.max(typical.p95 * 1.3, length) : 0;
  const share = (value: number): string => `${Math.min(100, (value / limit) * 100)}%`;
  const late = typical !== null && length > typical.p95;
  return (
    <section class="panel under-way-panel" aria-label="Under way">
      <State state={run.state} />
      <a href={href(paths.run(run.id))}>for {duration(length)}</a>
      {typical ? (
        <>
          <div class={`progress ${late ? "ABORTED" : "RUNNING"}`} role="img" aria-label={`${duration(length)} of ${duration(typical.median)}`}>
            <i style={{ width: share(length) }} />
            <b style={{ left: share(typical.median) }} title={`median ${duration(typical.median)}`} />
            <b style={{ left: share(typical.p95) }} title={`95 % within ${duration(typical.p95)}`} />
          </div>
          <span class={late ? "overdue" : "faint"}>
            {late ? `longer than 95 % of the last ${typical.of}` : length > typical.median ? "longer than usual" : `about ${duration(typical.median - length)} left`}
          </span>
        </>
      ) : (
        <span class="faint">too few runs have completed to say how long it takes</span>
      )}
    </section>
  );
}

function Recent({ runs }: { runs: readonly Run[] }): JSX.Element {
  return (
    <section class="panel" aria-label="Recent runs">
      <header>
        <h2>Recent runs</h2>
      </header>
      <ul class="short-list">
        {runs.slice(0, LISTED).map((run) => (
          <li key={run.id}>
            <State state={run.state} short />
            <span class="cut">
              <a class="cover" href={href(paths.run(run.id))}><Time at={run.startedAt ?? run.createdAt} /></a>
              {run.state === "FAILED" && errorOf(run) && <span class="error-text small"> {errorOf(run)}</span>}
            </span>
            <span class="tags"><Marks run={run} /></span>
            <span class="faint nowrap"><Length run={run} /></span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Names({ title, all }: { title: string; all: readonly DatasetId[] }): JSX.Element | null {
  if (all.length === 0) return null;
  return (
    <div>
      <h3>{title}</h3>
      <ul class="datasets">
        {all.map((dataset) => <li key={`${dataset.namespace}\n${dataset.name}`}><DatasetLink dataset={dataset} /></li>)}
      </ul>
    </div>
  );
}

function DatasetNames({ job }: { job: Job }): JSX.Element | null {
  if (job.inputs.length + job.outputs.length === 0) return null;
  return (
    <section class="panel" aria-label="Datasets">
      <header><h2>Datasets</h2></header>
      <div class="body columns narrow">
        <Names title="Read" all={job.inputs} />
        <Names title="Written" all={job.outputs} />
      </div>
    </section>
  );
}

// All jobs, with the states of their latest runs.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { CurlButton, Empty, FullName, Length, Problem, Shape, Skeleton, State, STATES, Time, useTitle, WORDS } from "../components/basics";
import { NamespaceFilter, TextFilter } from "../components/run_filter_bar";
import { Windowed } from "../components/windowed";
import { api, target } from "../lib/api";
import type { JobInBrief } from "../lib/api_types";
import { useShortcuts } from "../lib/keys";
import { type Answer, useAnswer } from "../lib/query";
import { go, href, paths, query, setQuery } from "../lib/router";
import { useStream, useThrottled } from "../lib/stream";
import { FirstSteps } from "./runs";

const FIRST_PAGE = 50; // more than are in view
const PAGE = 1_000;
const MOST = 5_000;
const ROW = 32;
const RELOAD_MS = 5_000;

interface Listed {
  jobs: readonly JobInBrief[]; // the latest event first
  total: number;
}

const keyOf = (job: JobInBrief): string => `${job.namespace}\n${job.name}`;

/** Reads all jobs. Where they were read before, only those of which something was recorded since: they are the first ones. */
async function readJobs(before: Listed | undefined, signal: AbortSignal, show: (part: Listed) => void): Promise<Listed> {
  const known = new Map(before?.jobs.map((job) => [keyOf(job), job]));
  const jobs = new Map<string, JobInBrief>();
  for (;;) {
    const page = await api.jobsInBrief({ limit: jobs.size === 0 ? FIRST_PAGE : PAGE, offset: jobs.size }, signal);
    const total = page.totalCount;
    for (const job of page.jobs) jobs.set(keyOf(job), job);
    const last = page.jobs.at(-1);
    if (last && known.get(keyOf(last))?.updatedAt === last.updatedAt) {
      const whole = [...jobs.values(), ...(before?.jobs.filter((job) => !jobs.has(keyOf(job))) ?? [])];
      if (whole.length === Math.min(total, MOST)) return { jobs: whole, total };
    }
    const read = { jobs: [...jobs.values()], total };
    if (page.jobs.length === 0 || jobs.size >= Math.min(total, MOST)) return read;
    show(read);
  }
}

export function JobsPage(): JSX.Element {
  useTitle("Jobs");
  const answer: Answer<Listed> = useAnswer<Listed>("jobs", (signal, show) => readJobs(answer.data, signal, show));
  const reload = useThrottled(answer.reload, RELOAD_MS);
  useStream(() => reload());
  const [selected, setSelected] = useState(-1);
  const words = (query.value.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const namespace = query.value.get("namespace");
  const state = query.value.get("last");
  const jobs = (answer.data?.jobs ?? []).filter((job) => {
    if ((namespace && job.namespace !== namespace) || (state && job.latestRuns[0]?.state !== state)) return false;
    const name = `${job.namespace} / ${job.name}`.toLowerCase();
    return words.every((word) => name.includes(word));
  });
  const move = (step: number): void => setSelected((before) => Math.max(0, Math.min(jobs.length - 1, before + step)));
  useShortcuts("Jobs", [
    { keys: "j", text: "Next job", action: () => move(1) },
    { keys: "k", text: "Job before", action: () => move(-1) },
    {
      keys: "Enter",
      text: "Open the job",
      action: () => {
        const job = jobs[selected];
        if (job) go(paths.job(job.namespace, job.name));
      },
    },
  ]);
  if (answer.data?.total === 0) return <FirstSteps />;
  return (
    <>
      <div class="head">
        <h1>Jobs</h1>
        <span class="faint count">{answer.data ? `${jobs.length.toLocaleString()} of ${answer.data.total.toLocaleString()}` : ""}</span>
        <span class="space" />
        <CurlButton path={target("/jobs/latest-runs", { limit: PAGE })} />
      </div>
      <div class="filters bar-of-filters">
        <TextFilter name="q" label="Any part of a name" filter />
        <NamespaceFilter />
        <div class="chips" role="group" aria-label="State of the latest run">
          {STATES.map((each) => (
            <button key={each} type="button" class={each} title={WORDS[each]} aria-pressed={state === each} onClick={() => setQuery({ last: state === each ? null : each })}>
              <Shape state={each} /> <span class="word">{WORDS[each]}</span>
            </button>
          ))}
        </div>
      </div>
      {answer.error && <Problem error={answer.error} retry={answer.reload} />}
      <div class="panel table" role="table" aria-label="Jobs" aria-rowcount={jobs.length}>
        <div class="line titles job-line" role="row">
          {["Latest run", "Job", "Latest runs", "Started", "Duration"].map((title) => <span key={title} role="columnheader">{title}</span>)}
        </div>
        {jobs.length > 0 ? (
          <Windowed items={jobs} rowHeight={ROW} height="calc(100vh - 12.5rem)" label="Jobs" table selected={selected} of={[selected]}
            row={(job, index, top) => <Row key={`${job.namespace}\n${job.name}`} job={job} index={index} top={top} selected={index === selected} />} />
        ) : answer.data && !answer.loading ? (
          <Empty title="No job has such a name"><button type="button" class="button" onClick={() => go("/jobs")}>Clear all filters</button></Empty>
        ) : (
          <Skeleton rows={20} />
        )}
      </div>
    </>
  );
}

function Row({ job, index, top, selected }: { job: JobInBrief; index: number; top: number; selected: boolean }): JSX.Element {
  const run = job.latestRuns[0];
  return (
    <div class="line row job-line" role="row" aria-rowindex={index + 1} aria-selected={selected} style={{ top: `${top}px` }}>
      <span role="cell">{run ? <State state={run.state} /> : <span class="faint">none</span>}</span>
      <span role="cell" class="cut">
        <a class="cover" href={href(paths.job(job.namespace, job.name))}><FullName namespace={job.namespace} name={job.name} /></a>
      </span>
      <span role="cell" class="latest">
        {job.latestRuns.toReversed().map((each) => <Shape key={each.id} state={each.state} />)}
      </span>
      <span role="cell"><Time at={run?.startedAt} /></span>
      <span role="cell">{run && <Length run={run} />}</span>
    </div>
  );
}

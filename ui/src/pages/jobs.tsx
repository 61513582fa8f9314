// All jobs, with the states of their latest runs.

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { CurlButton, Empty, Length, Problem, Shape, Skeleton, State, STATES, Time, useTitle, WORDS } from "../components/basics";
import { NamespaceFilter, TextFilter } from "../components/run_filter_bar";
import { Windowed } from "../components/windowed";
import { api, target } from "../lib/api";
import type { Job } from "../lib/api_types";
import { useShortcuts } from "../lib/keys";
import { useAnswer } from "../lib/query";
import { go, href, paths, query, setQuery } from "../lib/router";
import { useStream, useThrottled } from "../lib/stream";
import { FirstSteps } from "./runs";

const PAGE = 250;
const MOST = 5_000;
const ROW = 32;
const RELOAD_MS = 5_000;

async function readJobs(signal: AbortSignal): Promise<{ jobs: Job[]; total: number }> {
  const jobs: Job[] = [];
  let total = 0;
  do {
    const page = await api.jobs({ limit: PAGE, offset: jobs.length }, signal);
    total = page.totalCount;
    jobs.push(...page.jobs);
    if (page.jobs.length === 0) break;
  } while (jobs.length < Math.min(total, MOST));
  return { jobs, total };
}

export function JobsPage(): JSX.Element {
  useTitle("Jobs");
  const answer = useAnswer("jobs", readJobs);
  const reload = useThrottled(answer.reload, RELOAD_MS);
  useStream(() => reload());
  const [selected, setSelected] = useState(-1);
  const words = (query.value.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const namespace = query.value.get("namespace");
  const state = query.value.get("last");
  const jobs = (answer.data?.jobs ?? []).filter((job) => {
    if ((namespace && job.namespace !== namespace) || (state && job.latestRun?.state !== state)) return false;
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
        <span class="faint">{answer.data ? `${jobs.length.toLocaleString()} of ${answer.data.total.toLocaleString()}` : ""}</span>
        <span class="space" />
        <CurlButton path={target("/jobs", { limit: PAGE })} />
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
            row={(job, index, top) => <Row key={`${job.namespace}\n${job.name}`} job={job} top={top} selected={index === selected} />} />
        ) : answer.data ? (
          <Empty title="No job has such a name"><button type="button" class="button" onClick={() => go("/jobs")}>Clear all filters</button></Empty>
        ) : (
          <Skeleton rows={20} />
        )}
      </div>
    </>
  );
}

function Row({ job, top, selected }: { job: Job; top: number; selected: boolean }): JSX.Element {
  const run = job.latestRun;
  return (
    <div class="line row job-line" role="row" aria-selected={selected} style={{ transform: `translateY(${top}px)` }}>
      <span role="cell">{run ? <State state={run.state} /> : <span class="faint">none</span>}</span>
      <span role="cell" class="cut">
        <a class="cover" href={href(paths.job(job.namespace, job.name))}><span class="faint">{job.namespace} / </span>{job.name}</a>
      </span>
      <span role="cell" class="latest">
        {(job.latestRuns ?? []).slice(0, 10).toReversed().map((each) => <Shape key={each.id} state={each.state} />)}
      </span>
      <span role="cell"><Time at={run?.startedAt} /></span>
      <span role="cell">{run && <Length run={run} />}</span>
    </div>
  );
}

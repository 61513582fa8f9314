// What an operator wants to know first: what runs, what failed, what is silent, what contradicts itself.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useReducer, useRef } from "preact/hooks";
import { CurlButton, Length, Problem, Skeleton, State, Time, useTitle } from "../components/basics";
import { errorOf, IN_ROW, Marks } from "../components/run_row";
import { Timeline } from "../components/timeline";
import { api, type Query, SHARED_MS, target } from "../lib/api";
import type { FoundPage, Run } from "../lib/api_types";
import { type Answer, useAnswer } from "../lib/query";
import { BUSY_S, isEnd } from "../lib/live_runs";
import { href, paths } from "../lib/router";
import { type BriefEvent, isBusy, useHeard, useThrottled } from "../lib/stream";
import { clock, DAY, HOUR, MINUTE, ms, now, SECOND, useBeat } from "../lib/time";
import { FirstSteps } from "./runs";

const MOST = 100;
const LISTED = 8;
const RELOAD_MS = SHARED_MS; // a shared answer has what was heard before
const SELDOM_MS = 4 * RELOAD_MS;
const CLOCK_MS = MINUTE;
const SILENT_MS = HOUR;

/** A time some time ago, to the minute, so that pages ask the same. */
const ago = (length: number): string => new Date(Math.floor((Date.now() - length) / MINUTE) * MINUTE).toISOString();

interface List extends Answer<FoundPage> {
  has: (event: BriefEvent) => boolean;
}

/** Reads the first runs of a list and their number: the answer is of this moment at first, later one that pages share. */
function useRuns(name: string, limit: number, make: () => Query): List {
  const opened = useRef(Date.now());
  const answer = useAnswer(`overview/${name}`, (signal) => {
    const read = Date.now() - opened.current < SHARED_MS ? api.runs : api.sharedRuns;
    return read({ ...make(), ...IN_ROW, limit, count: MOST + 1 }, signal);
  });
  return { ...answer, has: (event) => answer.data?.runs.some((run) => run.id === event.id) ?? false };
}

/** Reads each list anew when something is recorded that may change it, and each minute, since their times go on. */
function useReloads(running: List, failed: List, silent: List, contradicted: List): void {
  const all = [running, failed, silent, contradicted];
  const every = useThrottled(() => all.forEach((each) => each.reload()), RELOAD_MS);
  const ofRunning = useThrottled(running.reload, RELOAD_MS);
  const ofFailed = useThrottled(failed.reload, RELOAD_MS);
  const ofSilent = useThrottled(silent.reload, RELOAD_MS);
  const ofContradicted = useThrottled(contradicted.reload, SELDOM_MS);
  useHeard(({ events, transitions, omitted, gap }) => {
    if (gap) every();
    if (transitions > 0) ofRunning();
    if (omitted || events.some((event) => event.state === "FAILED" || event.state === "ABORTED" || failed.has(event))) ofFailed();
    if (events.some(silent.has)) ofSilent();
    if (omitted || events.some((event) => isEnd(event.state))) ofContradicted();
  });
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && every(), CLOCK_MS);
    return () => clearInterval(timer);
  }, []);
}

export function Overview(): JSX.Element {
  useTitle("");
  const running = useRuns("running", LISTED, () => ({ state: "RUNNING", sort: "start", order: "asc" }));
  const failed = useRuns("failed", LISTED, () => ({ state: "FAILED,ABORTED", endedAfter: ago(DAY), sort: "end" }));
  const silent = useRuns("silent", MOST, () => ({ state: "RUNNING", updatedBefore: ago(SILENT_MS), sort: "update", order: "asc" }));
  const contradicted = useRuns("contradicted", 1, () => ({ contradicted: true, endedAfter: ago(7 * DAY), sort: "end" }));
  const all = [running, failed, silent, contradicted];
  useReloads(running, failed, silent, contradicted);
  const error = all.find((each) => each.error && !each.data)?.error;
  const any = useAnswer("overview/any", (signal) => api.runs({ limit: 1, withoutFacets: true }, signal));
  if (any.data?.runs.length === 0 && running.data?.runs.length === 0) return <FirstSteps />;
  return (
    <div class="stack">
      <div class="head">
        <h1>Overview</h1>
        <span class="space" />
        <CurlButton path={target("/runs", { state: "RUNNING", limit: MOST })} />
      </div>
      {error && <Problem error={error} retry={() => all.forEach((each) => each.reload())} />}
      <div class="tiles">
        <Tile state="RUNNING" name="Running" answer={running} to={paths.runs({ state: "RUNNING" })} />
        <Tile state="FAILED" name="Failed or aborted, last 24 h" answer={failed} to={paths.runs({ state: "FAILED,ABORTED", time: "ended", last: "24h", sort: "end" })} />
        <Tile state="ABORTED" name="Running, silent for an hour" answer={silent} to={paths.runs({ state: "RUNNING", sort: "update", order: "asc", time: "updated", to: ago(SILENT_MS) })} />
        <Tile state="NEW" name="Contradicted, last 7 days" answer={contradicted} to={paths.runs({ contradicted: "true", time: "ended", last: "7d", sort: "end" })} />
        <Rate />
      </div>
      <div class="columns">
        <ShortList title="Failed lately" answer={failed} none="Nothing failed in the last 24 hours." to={paths.runs({ state: "FAILED,ABORTED", time: "ended", last: "24h", sort: "end" })}
          row={(run) => run.endedAt && <>{clock(ms(run.endedAt), false)} · <Time at={run.endedAt} ago /></>} />
        <ShortList title="Running the longest" answer={running} none="Nothing is running." to={paths.runs({ state: "RUNNING", order: "asc" })}
          row={(run) => <Length run={run} />} />
      </div>
      <Timeline />
    </div>
  );
}

function Tile({ state, name, answer, to }: { state: Run["state"]; name: string; answer: Answer<FoundPage>; to: string }): JSX.Element {
  const count = answer.data?.count;
  const text = count === undefined ? "–" : count > MOST ? `${MOST}+` : String(count);
  return (
    <a class={`panel tile ${count ? state : "none"}`} href={href(to)}>
      <b>{text}</b>
      <span class="faint">{name}</span>
    </a>
  );
}

const SECONDS = 60;
const MOST_GATHERED = 3; // seconds between two messages, of the more the more pages there are; a first one comes at once

/** Returns in how many seconds the transitions of a message were recorded, after one that came at a time. */
function secondsSince(at: number): number {
  const passed = Math.round((performance.now() - at) / SECOND);
  return passed > MOST_GATHERED ? 1 : Math.max(1, passed);
}

function Rate(): JSX.Element {
  const counts = useRef<number[]>(Array.from({ length: SECONDS }, () => 0));
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const heardAt = useRef(0);
  const stale = useRef(false);
  useHeard(({ transitions }) => {
    const gathered = secondsSince(heardAt.current);
    heardAt.current = performance.now();
    for (let second = SECONDS - gathered; second < SECONDS; second++) {
      counts.current[second] = (counts.current[second] ?? 0) + transitions / gathered;
    }
  });
  useBeat((second) => {
    const still = counts.current.every((count) => count === 0);
    counts.current = [...counts.current.slice(1), 0];
    stale.current ||= !still;
    if (!stale.current || (isBusy() && second % BUSY_S !== 0)) return;
    stale.current = false;
    redraw(0);
  });
  const most = Math.max(1, ...counts.current);
  const recent = counts.current.slice(-11, -1);
  const mean = recent.reduce((sum, count) => sum + count, 0) / recent.length;
  const bars = counts.current.map((count, index) => `M${index * 2 + 0.75} 28v${-(count / most) * 26 - 1}`).join("");
  return (
    <div class="panel tile rate">
      <b>{mean >= 10 ? Math.round(mean) : mean.toFixed(1)}</b>
      <svg viewBox="0 0 120 28" width="120" height="28" aria-hidden="true">
        <path d={bars} stroke="var(--accent)" stroke-width="1.5" />
      </svg>
      <span class="faint">Transitions a second</span>
    </div>
  );
}

interface ListProps {
  title: string;
  answer: Answer<FoundPage>;
  none: string;
  to: string;
  row: (run: Run) => ComponentChildren;
}

function ShortList({ title, answer, none, to, row }: ListProps): JSX.Element {
  const runs = answer.data?.runs ?? [];
  return (
    <section class="panel" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <span class="space" />
        <a href={href(to)}>all</a>
      </header>
      <div class="listed">
        <ul class="short-list">
          {runs.map((run) => (
            <li key={run.id}>
              <State state={run.state} short />
              <span class="cut">
                <a class="cover" href={href(paths.run(run.id))} title={`${run.job?.namespace ?? ""} / ${run.job?.name ?? run.id}`}>
                  {run.job?.name ?? run.id}
                </a>
                {errorOf(run) && run.state === "FAILED" && <span class="error-text small"> {errorOf(run)}</span>}
              </span>
              <span class="tags"><Marks run={run} /></span>
              <span class={overdue(run) ? "overdue nowrap" : "faint nowrap"}>{row(run)}</span>
            </li>
          ))}
        </ul>
        {!answer.data && !answer.error && <Skeleton rows={LISTED} height="1.875rem" />}
        {answer.data && runs.length === 0 && <p class="body faint quiet-text">{none}</p>}
      </div>
    </section>
  );
}

/** Whether a run is under way for more than a day: worth a look, whatever its job. */
function overdue(run: Run): boolean {
  return run.state === "RUNNING" && run.startedAt !== null && now.peek() - ms(run.startedAt) > DAY;
}


// Runs of a view that follows the ledger: read once, and afterwards changed by what the stream tells. Only what a transition
// does not tell, such as an end that contradicts another one, is looked up.

import { useEffect, useReducer, useRef } from "preact/hooks";
import { parentOf } from "../components/gantt";
import { ApiError, api, type Query, SHARED_MS } from "./api";
import type { FoundPage, JobId, Run } from "./api_types";
import { type BriefEvent, type Heard, isBusy, useHeard, useThrottled } from "./stream";
import { ms, useBeat } from "./time";

const LOOK_MS = 2_000;
const CHECK_MS = 6_000;
const MOST_LOOKED_UP = 100;
const MISSED_MS = 60_000;
const PAGE = 250;
const KEPT_FACETS = { facet: "parent" };
const RETRY_MS = 4_000;
/** Seconds between two drawings while much is recorded. A multiple of it is drawn together with all that has it. */
export const BUSY_S = 2;
const FULL = 4; // where there are so many times as many runs as were read, the oldest that have ended are dropped
const KEPT = 3;

/** What a timeline shows of a run; times are in ms. */
export interface LiveRun {
  id: string;
  job: JobId | null;
  key: string; // of the job
  state: Run["state"];
  created: number;
  started: number | null;
  ended: number | null;
  nested: boolean; // it has a parent
  contradicted: boolean;
}

export const startOf = (run: LiveRun): number => run.started ?? run.created;

export const keyOf = (namespace: string, name: string): string => `${namespace}\n${name}`;

export function isEnd(state: Run["state"] | null): boolean {
  return state === "COMPLETED" || state === "FAILED" || state === "ABORTED";
}

function live(run: Run): LiveRun {
  return {
    id: run.id,
    job: run.job,
    key: run.job ? keyOf(run.job.namespace, run.job.name) : "",
    state: run.state,
    created: ms(run.createdAt),
    started: run.startedAt === null ? null : ms(run.startedAt),
    ended: run.endedAt === null ? null : ms(run.endedAt),
    nested: parentOf(run) !== null,
    contradicted: run.ends !== undefined,
  };
}

/** Returns a run after a transition that was reported; null where the service has to be asked for the run. */
export function after(run: LiveRun | undefined, { id, state, transitionedAt, namespace, job, parentRun, source }: BriefEvent): LiveRun | null {
  const at = ms(transitionedAt);
  if (source === "monitor" || (run && isEnd(run.state))) return null; // what stands is for the service to say
  if (!run) {
    if (isEnd(state) || namespace === null || job === null) return null;
    const begun = state === "RUNNING";
    return { id, job: { namespace, name: job }, key: keyOf(namespace, job), state: begun ? "RUNNING" : "NEW", created: at, started: begun ? at : null, ended: null, nested: parentRun !== null, contradicted: false };
  }
  if (state !== null && isEnd(state)) return { ...run, state, ended: at };
  if (state === "RUNNING") return { ...run, state, started: Math.min(at, run.started ?? at) };
  return run;
}

interface Asked<T> {
  answer: T;
  found: LiveRun[];
}

const pageRuns = (page: FoundPage): Run[] => page.runs;

interface Options {
  key: string;
  queries: () => Query[];
  most: number;
  pace: number; // seconds between two drawings while much is recorded
}

export interface LiveRuns {
  runs: ReadonlyMap<string, LiveRun>;
  version: number; // changes with the runs
  error: ApiError | null;
  loading: boolean;
  since: number | null; // earlier runs are left out, in ms; null: none are
}

/** Reads the runs of some queries, `most` of each, and keeps them current. */
export function useLiveRuns({ key, queries, most, pace }: Options): LiveRuns {
  const [, draw] = useReducer((count: number) => count + 1, 0);
  const all = useRef(new Map<string, LiveRun>());
  const state = useRef<LiveRuns>({ runs: all.current, version: 0, error: null, loading: true, since: null });
  const doubtful = useRef(new Set<string>());
  const complete = useRef(false); // whether all runs of the queries are known
  const asking = useRef(0); // requests under way
  const meanwhile = useRef(new Set<string>()); // runs that were heard of since: of these, an answer may be older
  const stale = useRef(false); // whether something has changed that is not drawn
  useBeat((second) => {
    if (!stale.current || (isBusy() && second % pace !== 0)) return;
    stale.current = false;
    draw(0);
  });

  function redraw(): void {
    stale.current = true;
  }

  function put(found: Iterable<LiveRun>): void {
    const runs = all.current; // to copy thousands of runs for each message would take longer than to take it
    let { since } = state.current;
    for (const run of found) runs.set(run.id, run);
    if (runs.size > FULL * most) {
      const ended = [...runs.values()].filter((run) => run.ended !== null).sort((one, other) => startOf(one) - startOf(other));
      const dropped = ended.slice(0, runs.size - KEPT * most);
      for (const run of dropped) runs.delete(run.id);
      complete.current = false;
      since = dropped.reduce((latest, run) => Math.max(latest, startOf(run)), since ?? -Infinity);
    }
    state.current = { runs, version: state.current.version + 1, error: null, loading: false, since };
  }

  /** Asks for runs, and takes them. */
  async function ask<T>(request: Promise<T>, runsOf: (answer: T) => (Run | null)[]): Promise<Asked<T>> {
    asking.current++;
    try {
      const answer = await request;
      const found = runsOf(answer).flatMap((run) => (run ? [live(run)] : []));
      const unsure = found.filter((run) => meanwhile.current.has(run.id));
      // Where it was under way, what was heard is later. Where it had ended, the service says what stands.
      const kept = new Set(unsure.filter((run) => run.ended === null && state.current.runs.has(run.id)).map((run) => run.id));
      put(found.filter((run) => !kept.has(run.id)));
      doubt(unsure.filter((run) => !kept.has(run.id)).map((run) => run.id));
      return { answer, found };
    } finally {
      asking.current--;
      if (asking.current === 0) meanwhile.current.clear();
    }
  }

  async function read(stopped: AbortSignal): Promise<void> {
    let all = true;
    let since: number | null = null;
    for (const query of queries()) {
      let cursor: string | null = null;
      let count = 0;
      let oldest = Infinity;
      do {
        const page: Asked<FoundPage> = await ask(api.runs({ ...query, ...KEPT_FACETS, limit: Math.min(PAGE, most), cursor }, stopped), pageRuns);
        if (stopped.aborted) return;
        oldest = page.found.reduce((least, run) => Math.min(least, startOf(run)), oldest);
        draw(0);
        cursor = page.answer.next;
        count += page.found.length;
      } while (cursor !== null && count < most);
      if (cursor !== null && query["sort"] === "start") since = oldest;
      all &&= cursor === null;
    }
    complete.current = all;
    state.current = { ...state.current, since };
    draw(0);
  }

  useEffect(() => {
    const stopped = new AbortController();
    let timer = 0;
    async function attempt(): Promise<void> {
      try {
        await read(stopped.signal);
      } catch (error) {
        if (stopped.signal.aborted || !(error instanceof ApiError)) return;
        state.current = { ...state.current, error, loading: false };
        draw(0);
        if (error.passing) timer = window.setTimeout(() => void attempt(), RETRY_MS);
      }
    }
    void attempt();
    return () => {
      stopped.abort();
      clearTimeout(timer);
    };
  }, [key]);

  const look: () => void = useThrottled(() => {
    const ids = [...doubtful.current].slice(0, MOST_LOOKED_UP);
    if (ids.length === 0) return;
    for (const id of ids) doubtful.current.delete(id);
    void ask(api.lookUp(ids, KEPT_FACETS), ({ runs }) => Object.values(runs)).then(
      () => {
        redraw();
        if (doubtful.current.size > 0) look();
      },
      (error: unknown) => error instanceof ApiError && error.passing && doubt(ids),
    );
  }, LOOK_MS);

  function doubt(ids: Iterable<string>): void {
    for (const id of ids) if (doubtful.current.size < most) doubtful.current.add(id);
    if (doubtful.current.size > 0) look();
  }

  /** Where not all is heard or known: reads which runs are under way, and doubts those that are not among them. */
  const check = useThrottled(() => {
    void ask(api.sharedRuns({ state: "RUNNING", sort: "start", ...KEPT_FACETS, limit: PAGE }), pageRuns).then(
      ({ answer, found }) => {
        const known = new Set(found.map((run) => run.id));
        const starts = found.map(startOf);
        const oldest = answer.next === null ? -Infinity : Math.min(...starts);
        const newest = Math.max(...starts, answer.next === null ? Date.now() - SHARED_MS : -Infinity); // later ones are not in a shared answer
        for (const run of all.current.values()) {
          if (run.state === "RUNNING" && startOf(run) > oldest && startOf(run) < newest && !known.has(run.id)) doubt([run.id]);
        }
        redraw();
      },
      () => undefined,
    );
  }, CHECK_MS);

  const missedAt = useRef(-Infinity); // when events were left out

  useHeard(({ events, omitted, gap }: Heard) => {
    if (gap) void read(new AbortController().signal).catch(() => undefined);
    if (omitted) missedAt.current = performance.now();
    // So much happens that not all is heard: to look up each run that is not known would cost the service more than all else.
    const much = isBusy() || performance.now() - missedAt.current < MISSED_MS;
    let guessed = omitted;
    const changed = new Map<string, LiveRun>();
    const asked: string[] = [];
    for (const event of events) {
      if (event.subject !== "run" || event.kind !== "transition") continue;
      if (asking.current > 0) meanwhile.current.add(event.id);
      const before = changed.get(event.id) ?? state.current.runs.get(event.id);
      const isNew = complete.current || event.state === "NEW";
      const run = before || isNew || much ? after(before, event) : null; // one that starts is taken for a new one
      if (run) changed.set(event.id, run);
      else if (before || !much) asked.push(event.id);
      guessed ||= !before && !isNew && run !== null;
    }
    if (guessed) check();
    if (changed.size > 0) {
      put(changed.values());
      redraw();
    }
    doubt(asked);
  });

  return state.current;
}

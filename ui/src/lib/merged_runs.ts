// Runs that a view keeps current: a list that is read once, and afterwards only what the stream says has changed.

import { useEffect, useReducer, useRef } from "preact/hooks";
import { ApiError, api, type Query } from "./api";
import type { Run } from "./api_types";
import { useStream, useThrottled } from "./stream";

const LOOK_MS = 2_000;
const MOST_LOOKED_UP = 300;
const RETRY_MS = 4_000;
const FULL = 4; // a list that has grown to so many times its first length is read anew

interface Options {
  key: string;
  queries: () => Query[];
  most: number;
}

export interface MergedRuns {
  runs: ReadonlyMap<string, Run>;
  error: ApiError | null;
  loading: boolean;
}

/** Reads the runs of some queries, `most` of each, and looks up those of which something is recorded. */
export function useMergedRuns({ key, queries, most }: Options): MergedRuns {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const state = useRef<MergedRuns>({ runs: new Map(), error: null, loading: true });
  const changed = useRef(new Set<string>());

  async function read(stopped: AbortSignal): Promise<void> {
    const anew = state.current.runs.size > FULL * most;
    if (anew) state.current = { ...state.current, runs: new Map() };
    for (const query of queries()) {
      let cursor: string | null = null;
      let count = 0;
      do {
        const page = await api.runs({ ...query, limit: Math.min(250, most), cursor }, stopped);
        if (stopped.aborted) return;
        const runs = new Map(state.current.runs);
        for (const run of page.runs) runs.set(run.id, run);
        state.current = { runs, error: null, loading: false };
        redraw(0);
        cursor = page.next;
        count += page.runs.length;
      } while (cursor !== null && count < most);
    }
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
        redraw(0);
        if (error.passing) timer = window.setTimeout(() => void attempt(), RETRY_MS);
      }
    }
    void attempt();
    return () => {
      stopped.abort();
      clearTimeout(timer);
    };
  }, [key]);

  const look = useThrottled(() => {
    // Of more than are looked up, those that are shown come first, so that none of them seems to go on for ever.
    const known = (id: string): number => (state.current.runs.has(id) ? 0 : 1);
    const ids = [...changed.current].sort((one, other) => known(one) - known(other)).slice(0, MOST_LOOKED_UP);
    changed.current.clear();
    if (state.current.runs.size > FULL * most) return void read(new AbortController().signal).catch(() => undefined);
    void api.lookUp(ids).then(
      ({ runs: found }) => {
        const runs = new Map(state.current.runs);
        for (const run of Object.values(found)) if (run) runs.set(run.id, run);
        state.current = { ...state.current, runs };
        redraw(0);
      },
      () => undefined, // the next event looks again
    );
  }, LOOK_MS);

  useStream((events) => {
    if (events === null) void read(new AbortController().signal).catch(() => undefined);
    for (const event of events ?? []) if (event.subject === "run") changed.current.add(event.id);
    if (changed.current.size > 0) look();
  });

  return state.current;
}

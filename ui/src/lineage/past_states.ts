// The states of runs as they were at a moment: a graph of the past names the runs, and each is read by itself.

import { useEffect, useReducer, useRef } from "preact/hooks";
import { ApiError, api } from "../lib/api";
import { isPast, type Moment } from "../lib/moment";

const AT_ONCE = 6;
const MOST = 300;

const known = new Map<string, string | null>();

/** Returns the state of a run at a moment; null while it is read, and where nothing was known of it. */
export function usePastStates(runs: readonly string[], moment: Moment): (run: string) => string | null {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const suffix = `${moment.knownAt} ${moment.validAt}`;
  const wanted = runs.slice(0, MOST).join(" ");
  const stopped = useRef<AbortController | null>(null);
  useEffect(() => {
    if (!isPast(moment)) return undefined;
    const own = (stopped.current = new AbortController());
    const queue = runs.slice(0, MOST).filter((run) => !known.has(`${run} ${suffix}`));
    async function work(): Promise<void> {
      for (let run = queue.pop(); run !== undefined && !own.signal.aborted; run = queue.pop()) {
        try {
          known.set(`${run} ${suffix}`, (await api.run(run, { ...moment }, own.signal)).state);
        } catch (error) {
          if (error instanceof ApiError && !error.passing) known.set(`${run} ${suffix}`, null);
        }
      }
      if (!own.signal.aborted) redraw(0);
    }
    for (let each = 0; each < Math.min(AT_ONCE, queue.length); each++) void work();
    while (known.size > 5_000) known.delete(known.keys().next().value ?? "");
    return () => own.abort();
  }, [wanted, suffix]);
  return (run) => known.get(`${run} ${suffix}`) ?? null;
}

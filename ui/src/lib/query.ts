// What a view reads: shown at once where it was read before, read anew when something changes, repeated after errors.

import { useEffect, useReducer, useRef } from "preact/hooks";
import { ApiError, charactersRead, outage } from "./api";

const REMEMBERED = 100;
const MOST_CHARACTERS = 32 * 1024 * 1024; // of all that is remembered
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

interface Remembered {
  data: unknown;
  size: number; // characters that were read for it
}

const remembered = new Map<string, Remembered>();
let characters = 0;

function forget(key: string): void {
  characters -= remembered.get(key)?.size ?? 0;
  remembered.delete(key);
}

/** Keeps an answer to show it at once where the view is opened again; the oldest ones go, and one that is too large itself. */
function remember(key: string, data: unknown, size: number): void {
  forget(key);
  remembered.set(key, { data, size });
  characters += size;
  for (const oldest of remembered.keys()) {
    if (remembered.size <= REMEMBERED && characters <= MOST_CHARACTERS) break;
    forget(oldest);
  }
}

export interface Answer<T> {
  data: T | undefined;
  error: ApiError | undefined;
  loading: boolean;
  reload: () => void;
}

interface State<T> {
  key: string | null;
  data: T | undefined;
  error: ApiError | undefined;
  loading: boolean;
}

/**
 * Returns whether all answers have something to show, or had once. What is below them is not shown before, so that it does
 * not move when they arrive.
 */
export function useSettled(...answers: readonly Answer<unknown>[]): boolean {
  const were = useRef(false);
  were.current ||= answers.every((answer) => answer.data !== undefined || answer.error !== undefined || !answer.loading);
  return were.current;
}

/**
 * Reads once for each key, and again on `reload`; a null key reads nothing. Errors that may pass are tried again, after
 * 1, 2, 4 … 30 seconds, and meanwhile the data that was read before stays. `read` may show a part of what it reads: it is
 * shown where nothing is shown yet. `sizeOf`: the characters of what it returns, where it does not read all of it each time.
 */
export function useAnswer<T>(
  key: string | null,
  read: (signal: AbortSignal, show: (part: T) => void) => Promise<T>,
  sizeOf?: (data: T) => number,
): Answer<T> {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const state = useRef<State<T>>({ key: null, data: undefined, error: undefined, loading: false });
  const latest = useRef(read);
  const start = useRef<() => void>(() => undefined);
  latest.current = read;
  if (state.current.key !== key) {
    const before = key === null ? undefined : (remembered.get(key)?.data as T | undefined);
    state.current = { key, data: before, error: undefined, loading: key !== null };
  }
  useEffect(() => {
    if (key === null) return undefined;
    let timer = 0;
    let pause = FIRST_PAUSE_MS;
    let running: AbortController | null = null;
    let again = false;
    const stopped = new AbortController();
    async function attempt(): Promise<void> {
      clearTimeout(timer);
      if (running) {
        again = true;
        return;
      }
      running = new AbortController();
      const own = AbortSignal.any([running.signal, stopped.signal]);
      try {
        const whole = state.current.data === undefined;
        const data = await latest.current(own, (part) => {
          if (!whole || stopped.signal.aborted) return;
          state.current = { key, data: part, error: undefined, loading: true };
          redraw(0);
        });
        if (stopped.signal.aborted) return;
        remember(key ?? "", data, sizeOf?.(data) ?? charactersRead(own));
        state.current = { key, data, error: undefined, loading: false };
        pause = FIRST_PAUSE_MS;
      } catch (error) {
        if (stopped.signal.aborted) return;
        const known = error instanceof ApiError ? error : new ApiError(-1, "The page failed", String(error));
        state.current = { key, data: state.current.data, error: known, loading: false };
        if (known.passing) {
          outage.value = known.message;
          timer = window.setTimeout(() => void attempt(), pause);
          pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
        }
      } finally {
        running = null;
      }
      redraw(0);
      if (again) {
        again = false;
        void attempt();
      }
    }
    start.current = () => void attempt();
    void attempt();
    return () => {
      stopped.abort();
      clearTimeout(timer);
    };
  }, [key]);
  const { data, error, loading } = state.current;
  return { data, error, loading, reload: () => start.current() };
}

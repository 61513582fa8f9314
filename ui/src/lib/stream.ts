// The ledger as it grows: one stream for the page, read by fetch so that the key is a header, shared by all views.

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { askForKey, keyHeader, problemOf } from "./api";
import type { LedgerEvent } from "./api_types";
import { origin } from "./router";

export type StreamState = "connecting" | "live" | "paused" | "lost";

/** Whether what is on the screen follows the ledger. */
export const streamState = signal<StreamState>("connecting");

/** What listeners get: the events since the last call, or null where some may be missing, so that all must be read anew. */
export type Listener = (events: LedgerEvent[] | null) => void;

const FLUSH_MS = 250;
const MAX_QUEUED = 2_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const SILENCE_MS = 45_000; // the service sends a comment every 15 s

const listeners = new Set<Listener>();
let connection: AbortController | null = null;
let lastId: string | null = null;
let queue: LedgerEvent[] = [];
let missed = false;
let flushing = 0;
let slower = 1;

let rate = 0; // events a second, a mean of the last ten seconds or so
let counted = performance.now();

/** Counts events, and returns by how much views are to wait longer than usual: 1 up to 10 events a second, 5 from 50 on. */
function busy(events: number): number {
  const passed = (performance.now() - counted) / 1_000;
  counted = performance.now();
  const weight = Math.min(1, passed / 10);
  rate += (events / Math.max(passed, 0.1) - rate) * weight;
  return Math.min(5, Math.max(1, rate / 10));
}

function flush(): void {
  flushing = 0;
  slower = busy(queue.length);
  const events = missed ? null : queue;
  queue = [];
  missed = false;
  for (const listener of listeners) listener(events);
}

function arrived(event: LedgerEvent | null): void {
  if (event === null || queue.length >= MAX_QUEUED) missed = true;
  else queue.push(event);
  flushing ||= window.setTimeout(flush, FLUSH_MS);
}

function take(frame: string): void {
  let id: string | null = null;
  const data: string[] = [];
  for (const line of frame.split("\n")) {
    if (line.startsWith("id: ")) id = line.slice(4);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
  }
  if (data.length > 0) arrived(JSON.parse(data.join("\n")) as LedgerEvent);
  if (id !== null) lastId = id;
}

async function receive(body: ReadableStream<Uint8Array>, controller: AbortController): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  for (;;) {
    const silence = window.setTimeout(() => controller.abort(), SILENCE_MS);
    const { done, value } = await reader.read();
    clearTimeout(silence);
    if (done) return;
    const frames = (rest + value).split("\n\n");
    rest = frames.pop() ?? "";
    frames.forEach(take);
  }
}

async function follow(controller: AbortController): Promise<void> {
  let pause = FIRST_PAUSE_MS;
  while (!controller.signal.aborted) {
    const attempt = new AbortController();
    const signal = AbortSignal.any([controller.signal, attempt.signal]);
    const key = keyHeader();
    try {
      const cursor = lastId === null ? "cursor=now" : `cursor=${encodeURIComponent(lastId)}`;
      const response = await fetch(`${origin()}/api/v1/events/stream?${cursor}`, { headers: key, signal, cache: "no-store", credentials: "omit" });
      if (response.status === 401) {
        await askForKey((await problemOf(response)).detail, key);
        continue;
      }
      if (response.status >= 400 && response.status < 500) {
        lastId = null; // the ledger may have lost its end
        throw new Error(`status ${response.status}`);
      }
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      if (lastId === null) arrived(null); // what was recorded between reading and listening
      streamState.value = "live";
      pause = FIRST_PAUSE_MS;
      await receive(response.body, attempt);
    } catch {
      // Tried again below.
    }
    if (controller.signal.aborted) return;
    streamState.value = "lost";
    await new Promise((resolve) => setTimeout(resolve, pause * (0.75 + Math.random() / 2)));
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

function update(): void {
  const wanted = listeners.size > 0 && !document.hidden;
  if (wanted && !connection) {
    connection = new AbortController();
    streamState.value = "connecting";
    void follow(connection);
  } else if (!wanted && connection) {
    connection.abort();
    connection = null;
    lastId = null; // what is recorded until the page is looked at again is read, not replayed
    streamState.value = "paused";
  }
}

document.addEventListener("visibilitychange", update);

export function listen(listener: Listener): () => void {
  listeners.add(listener);
  update();
  return () => {
    listeners.delete(listener);
    setTimeout(update, 1_000); // the next view may listen
  };
}

/** Calls `listener` with what is recorded while the component is there. */
export function useStream(listener: Listener): void {
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => listen((events) => latest.current(events)), []);
}

/** Returns a function that calls `action` at most every `interval` ms, and once more after the last call. On a busy ledger less often. */
export function useThrottled(action: () => void, interval: number): () => void {
  const latest = useRef(action);
  const timer = useRef(0);
  latest.current = action;
  useEffect(() => () => clearTimeout(timer.current), []);
  return () => {
    timer.current ||= window.setTimeout(() => {
      timer.current = 0;
      latest.current();
    }, interval * slower);
  };
}

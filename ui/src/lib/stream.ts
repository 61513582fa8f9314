// The ledger as it grows: one stream for the page, read by fetch so that the key is a header, shared by all views. It is in
// brief, a message a second at most, unless a view lists the events themselves.

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { askForKey, keyHeader, problemOf } from "./api";
import type { LedgerEvent } from "./api_types";
import { origin } from "./router";
import { outlineOf } from "./run_events";

export type StreamState = "connecting" | "live" | "paused" | "lost";

/** Whether what is on the screen follows the ledger. */
export const streamState = signal<StreamState>("connecting");

/** What an event is about. */
export type BriefEvent = Pick<LedgerEvent, "position" | "subject" | "id" | "kind" | "state" | "transitionedAt" | "namespace" | "job" | "parentRun" | "source">;

interface Brief {
  events: number;
  transitions: number;
  latest: BriefEvent[];
}

/** What was recorded since the last call. */
export interface Heard<E = BriefEvent> {
  events: E[];
  transitions: number; // of runs, with those that are left out
  omitted: boolean; // the events are only the last ones
  gap: boolean; // something else may have been recorded before: what is shown must be read anew
}

type Listener<E> = (heard: Heard<E>) => void;

const FLUSH_MS = 250;
const MAX_QUEUED = 2_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const SILENCE_MS = 45_000; // the service sends a comment every 15 s

const nothing = (): Heard<LedgerEvent> => ({ events: [], transitions: 0, omitted: false, gap: false });

const listeners = new Set<Listener<BriefEvent>>();
const readers = new Set<Listener<LedgerEvent>>();
let connection: (AbortController & { whole?: boolean }) | null = null;
let lastId: string | null = null;
let queue = nothing();
let flushing = 0;
const SLOWEST = 5;
let slower = 1;

let rate = 0; // events a second, a mean of the last ten seconds or so
let counted = performance.now();

/** Whether so much is recorded that views wait for as long as they may. */
export const isBusy = (): boolean => slower === SLOWEST;

/** Counts events, and returns by how much views are to wait longer than usual: 1 up to 10 events a second, 5 from 50 on. */
function busy(events: number): number {
  const passed = (performance.now() - counted) / 1_000;
  counted = performance.now();
  const weight = Math.min(1, passed / 10);
  rate += (events / Math.max(passed, 0.1) - rate) * weight;
  return Math.min(SLOWEST, Math.max(1, rate / 10));
}

function tell(heard: Heard, events: number): void {
  slower = busy(events);
  for (const listener of listeners) listener(heard);
}

function flush(): void {
  flushing = 0;
  const heard = queue;
  queue = nothing();
  tell(heard, heard.events.length);
  for (const reader of readers) reader(heard);
}

function gather(event: LedgerEvent | null): void {
  if (event?.kind === "transition") queue.transitions++;
  if (event === null || queue.events.length >= MAX_QUEUED) queue.gap = true;
  else queue.events.push(outlineOf(event));
  flushing ||= window.setTimeout(flush, FLUSH_MS);
}

function take(frame: string, whole: boolean): void {
  let id: string | null = null;
  const data: string[] = [];
  for (const line of frame.split("\n")) {
    if (line.startsWith("id: ")) id = line.slice(4);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
  }
  if (data.length > 0 && whole) gather(JSON.parse(data.join("\n")) as LedgerEvent);
  else if (data.length > 0) {
    const { events, transitions, latest } = JSON.parse(data.join("\n")) as Brief;
    tell({ events: latest, transitions, omitted: events > latest.length, gap: false }, events);
  }
  if (id !== null) lastId = id;
}

async function receive(body: ReadableStream<Uint8Array>, controller: AbortController, whole: boolean): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  for (;;) {
    const silence = window.setTimeout(() => controller.abort(), SILENCE_MS);
    const { done, value } = await reader.read();
    clearTimeout(silence);
    if (done) return;
    const frames = (rest + value).split("\n\n");
    rest = frames.pop() ?? "";
    for (const frame of frames) take(frame, whole);
  }
}

async function follow(controller: AbortController, whole: boolean): Promise<void> {
  let pause = FIRST_PAUSE_MS;
  while (!controller.signal.aborted) {
    const attempt = new AbortController();
    const signal = AbortSignal.any([controller.signal, attempt.signal]);
    const key = keyHeader();
    try {
      const from = `cursor=${encodeURIComponent(lastId ?? "now")}`;
      const response = await fetch(`${origin()}/api/v1/events/stream?${from}${whole ? "" : "&brief=true"}`, { headers: key, signal, cache: "no-store", credentials: "omit" });
      if (response.status === 401) {
        await askForKey((await problemOf(response)).detail, key);
        continue;
      }
      if (response.status >= 400 && response.status < 500) {
        lastId = null; // the ledger may have lost its end
        throw new Error(`status ${response.status}`);
      }
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      if (lastId === null) gather(null); // what was recorded between reading and listening
      streamState.value = "live";
      pause = FIRST_PAUSE_MS;
      await receive(response.body, attempt, whole);
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
  const wanted = listeners.size + readers.size > 0 && !document.hidden;
  const whole = readers.size > 0;
  if (wanted && connection?.whole !== whole) {
    connection?.abort(); // the other form goes on where this one ends
    connection = Object.assign(new AbortController(), { whole });
    streamState.value = "connecting";
    void follow(connection, whole);
  } else if (!wanted && connection) {
    connection.abort();
    connection = null;
    lastId = null; // what is recorded until the page is looked at again is read, not replayed
    streamState.value = "paused";
  }
}

document.addEventListener("visibilitychange", update);

function useListener<E>(all: Set<Listener<E>>, listener: Listener<E>): void {
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => {
    const own: Listener<E> = (heard) => latest.current(heard);
    all.add(own);
    update();
    return () => {
      all.delete(own);
      setTimeout(update, 1_000); // the next view may listen
    };
  }, []);
}

/** Calls `listener` with what is recorded while the component is there, with whole events. */
export function useEvents(listener: Listener<LedgerEvent>): void {
  useListener(readers, listener);
}

/** Calls `listener` with what is recorded, in brief. */
export function useHeard(listener: Listener<BriefEvent>): void {
  useListener(listeners, listener);
}

/** Calls `listener` with what is recorded, in brief, or with null where events are missing: what is shown may have changed. */
export function useStream(listener: (events: BriefEvent[] | null) => void): void {
  useHeard(({ events, omitted, gap }) => listener(omitted || gap ? null : events));
}

/**
 * Returns a function that calls `action` at most every `interval` ms, and once more so long after the last call: what
 * `action` reads may be shared with other pages, and lack what was recorded shortly before. On a busy ledger less often, up
 * to `most` times as seldom.
 */
export function useThrottled(action: () => void, interval: number, most = SLOWEST): () => void {
  const latest = useRef(action);
  const timer = useRef(0);
  const again = useRef(false); // whether it was called since it waits
  latest.current = action;
  useEffect(() => () => clearTimeout(timer.current), []);
  function wait(): void {
    timer.current = window.setTimeout(() => {
      timer.current = 0;
      if (again.current) wait();
      again.current = false;
      latest.current();
    }, interval * Math.min(most, slower));
  }
  return () => {
    if (timer.current) again.current = true;
    else wait();
  };
}

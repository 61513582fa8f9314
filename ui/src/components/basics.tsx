// The smallest parts of views: states, times, links, errors, empty lists, commands to copy.

import { computed, signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";
import type { ApiError } from "../lib/api";
import { curlOf } from "../lib/api";
import type { JobId, Run } from "../lib/api_types";
import { href, paths } from "../lib/router";
import { duration, full, local, ms, now, relative } from "../lib/time";

export type RunState = Run["state"];
export const STATES: readonly RunState[] = ["NEW", "RUNNING", "COMPLETED", "FAILED", "ABORTED"];

/** The shape of each state, so that none is told by its colour alone. */
export const SHAPES: Record<RunState, JSX.Element> = {
  NEW: <circle cx="7" cy="7" r="5" fill="none" stroke="currentColor" stroke-width="1.6" stroke-dasharray="2.6 1.6" />,
  RUNNING: <path d="M3 1.8v10.4L12 7z" fill="currentColor" />,
  COMPLETED: <path d="M2 7.4l3.3 3.4L12 3.6" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" />,
  FAILED: <path d="M3 3l8 8M11 3l-8 8" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" />,
  ABORTED: <rect x="2.5" y="2.5" width="9" height="9" fill="currentColor" />,
};

export const WORDS: Record<RunState, string> = {
  NEW: "New",
  RUNNING: "Running",
  COMPLETED: "Completed",
  FAILED: "Failed",
  ABORTED: "Aborted",
};

export function Shape({ state }: { state: RunState }): JSX.Element {
  return (
    <svg class={`shape ${state}`} viewBox="0 0 14 14" width="12" height="12" aria-hidden="true">
      {SHAPES[state]}
    </svg>
  );
}

export function State({ state, big = false, short = false }: { state: RunState; big?: boolean; short?: boolean }): JSX.Element {
  return (
    <span class={`state ${state}${big ? " big" : ""}`} title={short ? WORDS[state] : undefined}>
      <Shape state={state} />
      {short ? <span class="visually-hidden">{WORDS[state]}</span> : WORDS[state]}
    </span>
  );
}

/** A time in the reader's zone; its title has all of it, and UTC. */
export function Time({ at, ago = false }: { at: string | null | undefined; ago?: boolean }): JSX.Element {
  if (!at) return <span class="faint">–</span>;
  const time = ms(at);
  return (
    <time dateTime={at} title={`${full(time)}\n${at} (UTC)`} class="nowrap">
      {ago ? <Going since={time} text={relative} /> : local(time)}
    </time>
  );
}

/** A text that goes on with the present; where it stays the same, nothing is drawn. */
function Going({ since, text }: { since: number; text: (since: number, now: number) => string }): JSX.Element {
  return <>{useMemo(() => computed(() => text(since, now.value)), [since])}</>;
}

/** The duration of a run; that of a run under way keeps counting, or ends at a time that is looked at. */
export function Length({ run, until = null }: { run: Pick<Run, "state" | "startedAt" | "durationMs">; until?: string | null }): JSX.Element {
  if (run.durationMs !== null) return <span class="nowrap">{duration(run.durationMs)}</span>;
  if (run.state !== "RUNNING" || !run.startedAt) return <span class="faint">–</span>;
  const since = ms(run.startedAt);
  return <span class="nowrap">{until === null ? <Going since={since} text={lengthSince} /> : duration(ms(until) - since)}</span>;
}

const lengthSince = (since: number, present: number): string => duration(present - since);

/** A name behind its namespace. Where there is little room, it is the namespace that is cut. */
export function FullName({ namespace, name }: { namespace: string | null; name: string }): JSX.Element {
  return (
    <>
      {namespace !== null && <span class="faint">{namespace} / </span>}
      <span class="own-name">{name}</span>
    </>
  );
}

export function JobLink({ job, namespace = true }: { job: JobId | null; namespace?: boolean }): JSX.Element {
  if (!job) return <span class="faint">no job</span>;
  return (
    <a href={href(paths.job(job.namespace, job.name))} title={`${job.namespace} / ${job.name}`}>
      <FullName namespace={namespace ? job.namespace : null} name={job.name} />
    </a>
  );
}

export function Problem({ error, retry }: { error: ApiError; retry: () => void }): JSX.Element {
  return (
    <div class="problem" role="alert">
      <strong>{error.title}</strong>
      <span>{error.detail}</span>
      <span class="faint small">
        {error.passing ? "It is tried again by itself. " : ""}
        <button type="button" class="button" onClick={retry}>
          Try again
        </button>
      </span>
    </div>
  );
}

export const toast = signal<string | null>(null);
let toastTimer = 0;

export function say(text: string): void {
  toast.value = text;
  clearTimeout(toastTimer);
  toastTimer = window.setTimeout(() => (toast.value = null), 2_500);
}

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
  } catch {
    // Pages of plain http from other hosts have no clipboard.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    say(done ? `${what} copied` : "The browser does not let this page copy");
  }
}

interface CopyProps {
  text: string | (() => string); // a function where it takes time to make
  what: string;
  disabled?: boolean;
  children?: ComponentChildren;
}

export function CopyButton({ text, what, disabled = false, children }: CopyProps): JSX.Element {
  return (
    <button type="button" class="button quiet" disabled={disabled} onClick={() => void copy(typeof text === "string" ? text : text(), what)} title={`Copy ${what.toLowerCase()}`}>
      {children ?? "Copy"}
    </button>
  );
}

/** Copies the command that reads what is on the screen. */
export function CurlButton({ path }: { path: string }): JSX.Element {
  return (
    <CopyButton text={curlOf(path)} what="Command">
      Copy as curl
    </CopyButton>
  );
}

export function Command({ text }: { text: string }): JSX.Element {
  return (
    <div class="command">
      <pre>{text}</pre>
      <CopyButton text={text} what="Command" />
    </div>
  );
}

export function Empty({ title, page = false, children }: { title: string; page?: boolean; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      {page ? <h1>{title}</h1> : <h2>{title}</h2>}
      {children}
    </div>
  );
}

/** Rows in the shape of what is awaited; they are seen only after 200 ms. */
export function Skeleton({ rows, height = "2rem" }: { rows: number; height?: string }): JSX.Element {
  return (
    <div aria-busy="true" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} class="line" style={{ height, gridTemplateColumns: "6rem 1fr 8rem" }}>
          <span class="skeleton wait" />
          <span class="skeleton wait" style={{ width: `${30 + ((row * 37) % 50)}%` }} />
          <span class="skeleton wait" />
        </div>
      ))}
    </div>
  );
}

const FIRST_WIDTH = 320;
const LEAST_WIDTH = 200; // so that no part of a chart has a negative one

/** Returns the width of an element's content, as it changes. It is measured before the first paint: nothing is shifted. */
export function useWidth(element: { current: Element | null }): number {
  const [width, setWidth] = useState(FIRST_WIDTH);
  useLayoutEffect(() => {
    if (!element.current) return undefined;
    const style = getComputedStyle(element.current);
    setWidth(Math.max(LEAST_WIDTH, Math.floor(element.current.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight))));
    const observer = new ResizeObserver((entries) => setWidth(Math.max(LEAST_WIDTH, Math.floor(entries[0]?.contentRect.width ?? FIRST_WIDTH))));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return width;
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title ? `${title} · Runfold` : "Runfold";
  }, [title]);
}

// The last hours by job: a row for each job, a bar for each run from its start to its end.

import { computed } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { useShortcuts } from "../lib/keys";
import { BUSY_S, type LiveRun, startOf, useLiveRuns } from "../lib/live_runs";
import { href, paths, query, setQuery } from "../lib/router";
import { clock, duration, HOUR, local, MINUTE, ms, now, ticks, tickText } from "../lib/time";
import { Problem, Skeleton, useWidth } from "./basics";
import { Windowed } from "./windowed";

const ROW = 24;
const SMALLEST = 3; // pixels of a bar
const WIDEST = 65_536;
const STATES: readonly LiveRun["state"][] = ["NEW", "RUNNING", "COMPLETED", "FAILED", "ABORTED"];
const LEAST_ROWS = 8;
const MOST_ROWS = 18; // of windows that have no room for more
const MOST_RUNS = 1_500;
const COARSE_PIXEL = 12_000; // ms; what happens in some seconds cannot be seen then
const SPARE_ROWS = 4; // all rows of a busy ledger are drawn anew each time, also those out of view
const SHORTEST = 5 * MINUTE;
const LONGEST = 7 * 24 * HOUR;
const SPANS: readonly [string, number][] = [["1 h", HOUR], ["6 h", 6 * HOUR], ["24 h", 24 * HOUR], ["3 d", 72 * HOUR]];

interface NamespaceRow {
  namespace: string; // a heading
  runs: null;
}

interface JobRow {
  key: string;
  namespace: string;
  name: string;
  runs: LiveRun[];
}

interface View {
  end: number | null; // null: now, and moving
  length: number;
}

/** The part of time that is shown is in the address: its length, and its end unless that is now. */
function viewOf(parameters: URLSearchParams): View {
  const length = Number(parameters.get("span") ?? 6 * HOUR);
  const end = parameters.get("until");
  return { length: Number.isFinite(length) ? Math.min(LONGEST, Math.max(SHORTEST, length)) : 6 * HOUR, end: end ? ms(end) : null };
}

function show(view: View): void {
  const end = view.end === null || view.end >= Date.now() ? null : new Date(view.end).toISOString();
  setQuery({ span: String(Math.round(view.length)), until: end }, true);
}

type TimelineRow = JobRow | NamespaceRow;

/** Returns the rows of jobs that have runs in a time, below headings with their namespaces. */
function rowsOf(runs: Iterable<LiveRun>, from: number, to: number, nested: boolean): TimelineRow[] {
  const rows = new Map<string, JobRow>();
  for (const run of runs) {
    const start = startOf(run);
    if (start > to || (run.ended !== null && run.ended < from) || (run.state === "NEW" && start < from)) continue;
    if (!run.job || (!nested && run.nested)) continue;
    const row = rows.get(run.key);
    if (row) row.runs.push(run);
    else rows.set(run.key, { key: run.key, namespace: run.job.namespace, name: run.job.name, runs: [run] });
  }
  const sorted = [...rows.values()].sort((one, other) => one.key.localeCompare(other.key));
  return sorted.flatMap((row, index) => (row.namespace === sorted[index - 1]?.namespace ? [row] : [{ namespace: row.namespace, runs: null }, row]));
}

/** Returns rows, those that are as before as the same objects: they are not drawn again. */
function unchanged(rows: TimelineRow[], before: TimelineRow[]): TimelineRow[] {
  const known = new Map(before.map((row) => [row.runs ? row.key : row.namespace, row]));
  return rows.map((row) => {
    const same = known.get(row.runs ? row.key : row.namespace);
    if (!same || row.runs?.length !== same.runs?.length) return row;
    return row.runs?.every((run, index) => run === same.runs?.[index]) ?? true ? same : row;
  });
}

export function Timeline(): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const view = viewOf(query.value);
  const nested = query.value.get("nested") === "true";
  // The present moves by a pixel at a time.
  const pixel = Math.max(1_000, view.length / Math.max(80, width - Math.min(230, width * 0.4) - 14));
  const present = useMemo(() => computed(() => Math.floor(now.value / pixel) * pixel), [pixel]);
  const to = view.end ?? present.value;
  const from = to - view.length;
  // What is read moves in steps, so that panning and the clock do not read again and again.
  const step = Math.max(HOUR, view.length / 2);
  const first = Math.floor(from / step) * step;
  const last = view.end === null ? null : Math.ceil(view.end / step) * step;
  const read = useLiveRuns({
    key: `${first}/${last}`,
    most: MOST_RUNS,
    pace: pixel < COARSE_PIXEL ? BUSY_S : 2 * BUSY_S,
    queries: () => [
      { startedAfter: new Date(first).toISOString(), startedBefore: last === null ? null : new Date(last).toISOString(), sort: "start" },
      { runningAt: new Date(first).toISOString() },
    ],
  });
  const drawn = useRef<TimelineRow[]>([]);
  const rows = useMemo(
    () => (drawn.current = unchanged(rowsOf(read.runs.values(), from, view.end ?? Infinity, nested), drawn.current)),
    [read.version, Math.floor(from / MINUTE), Math.floor(to / MINUTE), nested],
  );
  const labels = Math.min(230, width * 0.4);
  const space = Math.max(80, width - labels - 14);
  const x = (at: number): number => ((at - from) / (to - from)) * space;
  const columns = ticks(from, to, Math.max(2, Math.floor(space / 90)));

  function zoom(factor: number, at = 1): void {
    const length = Math.min(LONGEST, Math.max(SHORTEST, view.length * factor));
    show({ length, end: view.end === null && at > 0.9 ? null : from + view.length * at + length * (1 - at) });
  }
  const pan = (share: number): void => show({ ...view, end: to + view.length * share });
  useShortcuts("Timeline", [
    { keys: "+", text: "Zoom in", action: () => zoom(0.5) },
    { keys: "-", text: "Zoom out", action: () => zoom(2) },
    { keys: "ArrowLeft", text: "Earlier", action: () => pan(-0.25) },
    { keys: "ArrowRight", text: "Later", action: () => pan(0.25) },
  ]);
  useWheel(box, (event, left) => {
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, Math.min(1, Math.max(0, (left - labels) / space)));
  });
  return (
    <section class="panel" aria-label="Timeline">
      <header>
        <h2>Timeline</h2>
        <span class="faint">{view.end === null ? `the last ${duration(view.length)}` : `${local(from)} – ${local(to)}`}</span>
        {read.since !== null && read.since > from && (
          <span class="tag warn" role="status" title={`The latest ${MOST_RUNS.toLocaleString()} of this time are shown; a shorter time has all of them`}>
            without runs that started before {local(read.since)}
          </span>
        )}
        <span class="space" />
        <label class="small faint"><input type="checkbox" checked={nested} onChange={() => setQuery({ nested: nested ? null : "true" }, true)} /> with children</label>
        <div class="chips" role="group" aria-label="Span">
          {SPANS.map(([text, length]) => (
            <button key={text} type="button" aria-pressed={view.length === length} onClick={() => show({ ...view, length })}>{text}</button>
          ))}
          <button type="button" aria-label="Earlier" onClick={() => pan(-0.5)}>‹</button>
          <button type="button" aria-label="Later" onClick={() => pan(0.5)} disabled={view.end === null}>›</button>
          <button type="button" aria-pressed={view.end === null} onClick={() => show({ ...view, end: null })}>now</button>
        </div>
      </header>
      {read.error && <Problem error={read.error} retry={() => location.reload()} />}
      <div ref={box} class="timeline" title="Ctrl and the wheel zoom">
        <svg width={width} height="22" aria-hidden="true">
          {columns.at.map((at) => <text key={at} x={labels + x(at)} y="15" text-anchor="middle">{tickText(at, columns.step)}</text>)}
        </svg>
        {rows.length > 0 ? (
          <Windowed items={rows} rowHeight={ROW} height={`max(${LEAST_ROWS * ROW}px, min(${rows.length * ROW}px, max(${MOST_ROWS * ROW}px, 100vh - 36rem)))`} label="Jobs" spare={SPARE_ROWS} of={[from, to, width]}
            row={(row, _, top) =>
              row.runs ? (
                <Row key={row.key} row={row} top={top} labels={labels} x={x} to={to} />
              ) : (
                <div key={row.namespace} class="timeline-row first faint small" style={{ top: `${top}px`, height: `${ROW}px` }}>{row.namespace}</div>
              )
            } />
        ) : read.loading ? (
          <Skeleton rows={8} height={`${ROW}px`} />
        ) : (
          <p class="body faint quiet-text">No run {nested ? "" : "without a parent "}in this time.</p>
        )}
      </div>
    </section>
  );
}

interface RowProps {
  row: JobRow;
  top: number;
  labels: number;
  x: (at: number) => number;
  to: number;
}

interface Bar {
  place: number; // of runs that look the same in the same place
  run: LiveRun;
  left: number;
  width: number;
  others: number; // runs that look the same in the same place, below this one
}

/**
 * Returns the bars of runs, those under way below the others. Of runs that look the same in the same place, the last one is
 * drawn: the element stays as it is when another one takes its place, so that the browser has nothing to paint.
 */
function barsOf(runs: readonly LiveRun[], x: (at: number) => number, to: number): Bar[] {
  const bars = new Map<number, Bar>();
  for (const run of runs) {
    const start = startOf(run);
    const end = run.ended ?? (run.state === "RUNNING" ? to : start);
    const left = Math.max(0, Math.min(Math.round(x(start)), Math.floor(x(to)) - SMALLEST)); // the present moves in steps
    const width = Math.max(SMALLEST, Math.round(Math.min(x(end), x(to))) - left - 1);
    const place = ((left * WIDEST + width) * STATES.length + STATES.indexOf(run.state)) * 2 + Number(run.contradicted);
    const below = bars.get(place);
    bars.delete(place); // the last one is drawn above the others
    bars.set(place, { place, run, left, width, others: below ? below.others + 1 : 0 });
  }
  return [...bars.values()].sort((one, other) => Number(other.run.state === "RUNNING") - Number(one.run.state === "RUNNING"));
}

interface DrawnBar {
  bar: Bar;
  to: number; // the present, for a run under way
  link: JSX.Element;
}

/** A job and its runs. The keyboard goes from job to job, and to the runs on the page of the job. */
function Row({ row, top, labels, x, to }: RowProps): JSX.Element {
  const before = useRef<DrawnBar[]>([]);
  const known = new Map(before.current.map((drawn) => [drawn.bar.place, drawn]));
  before.current = barsOf(row.runs, x, to).map((bar) => {
    const same = known.get(bar.place);
    const unchanged = same && same.bar.run === bar.run && same.bar.others === bar.others && (bar.run.ended !== null || same.to === to);
    return unchanged ? same : { bar, to, link: linkOf(row.name, bar, to) };
  });
  return (
    <div class="timeline-row" style={{ top: `${top}px`, height: `${ROW}px` }}>
      <a class="cut" href={href(paths.job(row.namespace, row.name))} title={`${row.namespace} / ${row.name}`} style={{ width: `${labels - 10}px` }}>
        {row.name}
      </a>
      <div class="timeline-bars" style={{ left: `${labels}px` }}>
        {before.current.map((drawn) => drawn.link)}
      </div>
    </div>
  );
}

function linkOf(job: string, { place, run, left, width, others }: Bar, to: number): JSX.Element {
  const start = startOf(run);
  const length = (run.ended ?? (run.state === "RUNNING" ? to : start)) - start;
  return (
    <a key={place} class={`${run.state}${run.contradicted ? " contradicted" : ""}`} href={href(paths.run(run.id))} tabIndex={-1} aria-label={`${job}, ${run.state}`}
      title={`${job}\n${run.state}, ${duration(length)}\n${clock(start)}${run.ended === null ? "" : ` – ${clock(run.ended)}`}${others ? `\nand ${others} more in the same place` : ""}`}
      style={{ left: `${left}px`, width: `${width}px` }} />
  );
}

/** Ctrl and the wheel; the wheel alone goes on to scroll. */
function useWheel(box: { current: HTMLElement | null }, action: (event: WheelEvent, left: number) => void): void {
  const latest = useRef(action);
  latest.current = action;
  useEffect(() => {
    const element = box.current;
    const turned = (event: WheelEvent): void => {
      if (event.ctrlKey || event.metaKey) latest.current(event, event.clientX - (element?.getBoundingClientRect().left ?? 0));
    };
    element?.addEventListener("wheel", turned, { passive: false });
    return () => element?.removeEventListener("wheel", turned);
  }, []);
}

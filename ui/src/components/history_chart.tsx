// The history of a run on two axes: when things happened, and when they were recorded. On the line from corner to corner
// both are the same; the further above it an event lies, the later it was reported.

import type { JSX } from "preact";
import { useMemo, useRef } from "preact/hooks";
import type { HistoryEvent, Run } from "../lib/api_types";
import { duration, full, ms, ticks, tickText } from "../lib/time";
import { useWidth, type RunState } from "./basics";

const HEIGHT = 250;
const LEFT = 92;
const RIGHT = 18;
const TOP = 14;
const BOTTOM = 30;
const ALL = 300; // so many events have a mark each
const MOST = 1_000; // marks of more events
const CLOSE = 3; // pixels

interface Range {
  from: number;
  to: number;
}

function padded(values: number[], least = 20): Range {
  const from = values.reduce((lowest, value) => Math.min(lowest, value), Infinity);
  const to = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const margin = Math.max((to - from) * 0.06, least);
  return { from: from - margin, to: to + margin };
}

function Mark({ event, x, y, selected, known }: { event: HistoryEvent; x: number; y: number; selected: boolean; known: boolean }): JSX.Element {
  const stands = event.verdict.effect === "stands";
  const size = event.state === "RUNNING" || event.state === "NEW" || !event.state ? 4.5 : 6;
  const look = { fill: stands ? "var(--state)" : "var(--panel)", stroke: "var(--state)", "stroke-width": 1.6 };
  // Places are in the paths: a group that is moved would be painted by itself, and each frame be made of a thousand parts.
  const from = (left: number, top: number, line: string): string => `M${(x + left).toFixed(1)} ${(y + top).toFixed(1)}${line}`;
  return (
    <g class={`event-mark ${event.state ?? "NEW"}${known ? "" : " unknown"}`}>
      {event.verdict.late && <circle cx={x} cy={y} r={size + 4} fill="none" stroke="var(--late)" stroke-width="1.5" stroke-dasharray="3 2" />}
      {selected && <circle cx={x} cy={y} r={size + 7} fill="none" stroke="var(--accent)" stroke-width="2" />}
      {event.state === "FAILED" ? (
        <path d={from(-size, -size, `l${2 * size} ${2 * size}m0 ${-2 * size}l${-2 * size} ${2 * size}`)} stroke="var(--state)" stroke-width="2.6" stroke-linecap="round" stroke-opacity={stands ? 1 : 0.5} />
      ) : event.state === "ABORTED" ? (
        <path d={from(-size, -size, `h${2 * size}v${2 * size}h${-2 * size}z`)} {...look} />
      ) : event.state === "RUNNING" ? (
        <path d={from(-4, -5.5, "v11l9.5 -5.5z")} {...look} />
      ) : (
        <circle cx={x} cy={y} r={size} {...look} />
      )}
    </g>
  );
}

function describe(event: HistoryEvent): string {
  const lag = ms(event.recordedAt) - ms(event.transitionedAt);
  return [
    `${event.state ?? event.kind} · position ${event.position}`,
    `happened ${full(ms(event.transitionedAt))}`,
    `recorded ${full(ms(event.recordedAt))}, ${lag >= 0 ? `${duration(lag)} later` : `${duration(-lag)} before`}`,
    event.verdict.reason ?? event.verdict.effect,
  ].join("\n");
}

interface Props {
  run: Run;
  events: readonly HistoryEvent[];
  knownAt: number | null;
  selected: number | null;
  onSelect: (position: number) => void;
}

interface Timed {
  event: HistoryEvent;
  happened: number; // ms
  recorded: number;
}

interface Placed extends Timed {
  x: number; // pixels
  y: number;
}

/**
 * Leaves out events whose marks would lie on those of others that look the same: of 10,000 on a line, some hundreds are
 * told apart. The event `chosen` is there in any case.
 */
function apart(all: readonly Placed[], chosen: number | null): readonly Placed[] {
  if (all.length <= ALL) return all;
  for (let size = CLOSE; ; size *= 2) {
    const taken = new Set<string>();
    const shown = all.filter(({ event: { position, state, verdict }, x, y }) => {
      const place = `${Math.round(x / size)} ${Math.round(y / size)} ${state} ${verdict.effect} ${verdict.late}`;
      const free = !taken.has(place);
      taken.add(place);
      return free || position === chosen;
    });
    if (shown.length <= MOST) return shown;
  }
}

export function HistoryChart({ run, events, knownAt, selected, onSelect }: Props): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const timed = useMemo(
    () => events.map((event): Timed => ({ event, happened: ms(event.transitionedAt), recorded: ms(event.recordedAt) })),
    [events],
  );
  const happened = useMemo(() => padded(timed.map((each) => each.happened)), [timed]);
  const recorded = useMemo(
    () => padded([...timed.map((each) => each.recorded), ...(knownAt === null ? [] : [knownAt])], 1_500),
    [timed, knownAt],
  );
  const x = (at: number): number => LEFT + ((at - happened.from) / (happened.to - happened.from)) * (width - LEFT - RIGHT);
  const y = (at: number): number => HEIGHT - BOTTOM - ((at - recorded.from) / (recorded.to - recorded.from)) * (HEIGHT - TOP - BOTTOM);
  const columns = ticks(happened.from, happened.to, Math.max(2, Math.floor((width - LEFT) / 110)));
  const lines = ticks(recorded.from, recorded.to, 5);
  const both: Range = { from: Math.max(happened.from, recorded.from), to: Math.min(happened.to, recorded.to) };
  const started = run.startedAt ? Math.max(LEFT, x(ms(run.startedAt))) : null;
  const ended = run.endedAt ? x(ms(run.endedAt)) : width - RIGHT;
  const shown = useMemo(
    () => apart(timed.map((each): Placed => ({ ...each, x: x(each.happened), y: y(each.recorded) })), selected),
    [timed, happened, recorded, width, selected],
  );
  const path = shown.map((each) => `${each.x.toFixed(1)},${each.y.toFixed(1)}`).join(" ");
  const marks = useMemo(
    () =>
      shown.map(({ event, x: left, y: top, recorded: at }) => (
        <g key={event.position} onClick={() => onSelect(event.position)} class="hit">
          <title>{describe(event)}</title>
          <circle cx={left} cy={top} r="12" fill="transparent" />
          <Mark event={event} x={left} y={top} selected={event.position === selected} known={knownAt === null || at <= knownAt} />
        </g>
      )),
    [shown, selected, knownAt],
  );
  return (
    <div ref={box} class="chart">
      <svg width={width} height={HEIGHT} role="img" aria-label={`${events.length} events, by when they happened and when they were recorded`}>
        {started !== null && (
          <rect class={run.state} x={started} y={TOP} width={Math.max(1, ended - started)} height={HEIGHT - TOP - BOTTOM} fill="var(--soft)" opacity="0.45" />
        )}
        {columns.at.map((at) => (
          <g key={at}>
            <line x1={x(at)} x2={x(at)} y1={TOP} y2={HEIGHT - BOTTOM} stroke="var(--line)" />
            <text x={x(at)} y={HEIGHT - BOTTOM + 14} text-anchor="middle">{tickText(at, columns.step)}</text>
          </g>
        ))}
        {lines.at.map((at) => (
          <g key={at}>
            <line x1={LEFT} x2={width - RIGHT} y1={y(at)} y2={y(at)} stroke="var(--line)" />
            <text x={LEFT - 8} y={y(at) + 4} text-anchor="end">{tickText(at, lines.step)}</text>
          </g>
        ))}
        {both.from < both.to && (
          <line x1={x(both.from)} y1={y(both.from)} x2={x(both.to)} y2={y(both.to)} stroke="var(--strong-line)" stroke-dasharray="5 4">
            <title>Recorded when it happened</title>
          </line>
        )}
        <polyline points={path} fill="none" stroke="var(--strong-line)" stroke-width="1.2" />
        {knownAt !== null && (
          <g>
            <rect x={LEFT} y={TOP} width={width - LEFT - RIGHT} height={Math.max(0, y(knownAt) - TOP)} fill="var(--panel)" opacity="0.65" />
            <line x1={LEFT} x2={width - RIGHT} y1={y(knownAt)} y2={y(knownAt)} stroke="var(--accent)" stroke-width="1.5" />
            <text x={width - RIGHT - 4} y={y(knownAt) - 5} text-anchor="end" class="accent">known at this time</text>
          </g>
        )}
        {marks}
        <text x={width - RIGHT} y={HEIGHT - 2} text-anchor="end">happened →</text>
        <text x={4} y={TOP}>recorded ↑</text>
      </svg>
      <Legend events={events} />
    </div>
  );
}

/** The marks of the chart as characters. */
const MARKS: Record<RunState, string> = { NEW: "○", RUNNING: "▶", COMPLETED: "●", FAILED: "✕", ABORTED: "■" };

function Legend({ events }: { events: readonly HistoryEvent[] }): JSX.Element {
  const states = [...new Set(events.map((event) => event.state))].filter((state): state is RunState => state !== null);
  const late = events.some((event) => event.verdict.late);
  const replaced = events.some((event) => event.verdict.effect !== "stands");
  return (
    <p class="legend small faint">
      {states.map((state) => <span key={state} class={`of-state ${state}`}><b aria-hidden="true">{MARKS[state]}</b> {state.toLowerCase()}</span>)}
      {late && <span><i class="ring" /> reported after a later event</span>}
      {replaced && <span><i class="hollow" /> changed nothing that stands</span>}
    </p>
  );
}

// The history of a run on two axes: when things happened, and when they were recorded. On the line from corner to corner
// both are the same; the further above it an event lies, the later it was reported.

import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import type { HistoryEvent, Run } from "../lib/api_types";
import { duration, full, ms, ticks, tickText } from "../lib/time";
import { useWidth, type RunState } from "./basics";

const HEIGHT = 250;
const LEFT = 92;
const RIGHT = 18;
const TOP = 14;
const BOTTOM = 30;
const MOST = 3_000;

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
  const shape = { x: -size, y: -size, width: 2 * size, height: 2 * size };
  const look = { fill: stands ? "var(--state)" : "var(--panel)", stroke: "var(--state)", "stroke-width": 1.6 };
  return (
    <g transform={`translate(${x} ${y})`} class={`event-mark ${event.state ?? "NEW"}${known ? "" : " unknown"}`}>
      {event.verdict.late && <circle r={size + 4} fill="none" stroke="var(--late)" stroke-width="1.5" stroke-dasharray="3 2" />}
      {selected && <circle r={size + 7} fill="none" stroke="var(--accent)" stroke-width="2" />}
      {event.state === "FAILED" ? (
        <path d={`M${-size} ${-size}L${size} ${size}M${size} ${-size}L${-size} ${size}`} stroke="var(--state)" stroke-width="2.6" stroke-linecap="round" opacity={stands ? 1 : 0.5} />
      ) : event.state === "ABORTED" ? (
        <rect {...shape} {...look} />
      ) : event.state === "RUNNING" ? (
        <path d="M-4 -5.5V5.5L5.5 0z" {...look} />
      ) : (
        <circle r={size} {...look} />
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

export function HistoryChart({ run, events, knownAt, selected, onSelect }: Props): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const shown = events.slice(0, MOST);
  const happened = padded(shown.map((event) => ms(event.transitionedAt)));
  const recorded = padded([...shown.map((event) => ms(event.recordedAt)), ...(knownAt === null ? [] : [knownAt])], 1_500);
  const x = (at: number): number => LEFT + ((at - happened.from) / (happened.to - happened.from)) * (width - LEFT - RIGHT);
  const y = (at: number): number => HEIGHT - BOTTOM - ((at - recorded.from) / (recorded.to - recorded.from)) * (HEIGHT - TOP - BOTTOM);
  const columns = ticks(happened.from, happened.to, Math.max(2, Math.floor((width - LEFT) / 110)));
  const lines = ticks(recorded.from, recorded.to, 5);
  const both: Range = { from: Math.max(happened.from, recorded.from), to: Math.min(happened.to, recorded.to) };
  const started = run.startedAt ? Math.max(LEFT, x(ms(run.startedAt))) : null;
  const ended = run.endedAt ? x(ms(run.endedAt)) : width - RIGHT;
  const path = shown.map((event) => `${x(ms(event.transitionedAt)).toFixed(1)},${y(ms(event.recordedAt)).toFixed(1)}`).join(" ");
  return (
    <div ref={box} class="chart">
      <svg width={width} height={HEIGHT} role="img" aria-label={`${shown.length} events, by when they happened and when they were recorded`}>
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
        {shown.map((event) => (
          <g key={event.position} onClick={() => onSelect(event.position)} class="hit">
            <title>{describe(event)}</title>
            <circle cx={x(ms(event.transitionedAt))} cy={y(ms(event.recordedAt))} r="12" fill="transparent" />
            <Mark event={event} x={x(ms(event.transitionedAt))} y={y(ms(event.recordedAt))} selected={event.position === selected}
              known={knownAt === null || ms(event.recordedAt) <= knownAt} />
          </g>
        ))}
        <text x={width - RIGHT} y={HEIGHT - 2} text-anchor="end">happened →</text>
        <text x={4} y={TOP}>recorded ↑</text>
      </svg>
      <Legend events={events} />
    </div>
  );
}

function Legend({ events }: { events: readonly HistoryEvent[] }): JSX.Element {
  const states = [...new Set(events.map((event) => event.state))].filter((state): state is RunState => state !== null);
  const late = events.some((event) => event.verdict.late);
  const replaced = events.some((event) => event.verdict.effect !== "stands");
  return (
    <p class="legend small faint">
      {states.map((state) => state.toLowerCase()).join(" · ")}
      {late && <span><i class="ring" /> reported after a later event</span>}
      {replaced && <span><i class="hollow" /> changed nothing that stands</span>}
    </p>
  );
}

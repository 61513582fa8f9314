// The durations of a job's last runs as bars, with the median and the 95th percentile.

import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import type { Run } from "../lib/api_types";
import { href, paths } from "../lib/router";
import { duration, local, ms, now } from "../lib/time";
import { Shape, SHAPES, useWidth } from "./basics";

const HEIGHT = 180;
const TOP = 20;
const LEFT = 84;
const RIGHT = 56;
const BOTTOM = 6;
const SIGN = 9; // pixels of the shape above a run that did not complete

export interface Expected {
  median: number;
  p95: number;
  of: number;
}

/** Returns what completed runs took; null where fewer than three did. */
export function expected(runs: readonly Run[]): Expected | null {
  const lengths = runs.flatMap((run) => (run.state === "COMPLETED" && run.durationMs !== null ? [run.durationMs] : [])).sort((one, other) => one - other);
  if (lengths.length < 3) return null;
  const at = (share: number): number => lengths[Math.min(lengths.length - 1, Math.floor(lengths.length * share))] ?? 0;
  return { median: at(0.5), p95: at(0.95), of: lengths.length };
}

function lengthOf(run: Run): number {
  if (run.durationMs !== null) return Math.max(0, run.durationMs);
  return run.state === "RUNNING" && run.startedAt ? now.value - ms(run.startedAt) : 0;
}

export function DurationBars({ runs, typical }: { runs: readonly Run[]; typical: Expected | null }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const oldestFirst = runs.toReversed();
  const lengths = oldestFirst.map(lengthOf).sort((one, other) => one - other);
  // One run that took for ever must not flatten all others: it is cut off, and says so.
  const limit = Math.max(1_000, Math.min(lengths.at(-1) ?? 0, (typical?.p95 ?? lengths.at(-1) ?? 0) * 2.5));
  const y = (length: number): number => HEIGHT - BOTTOM - (Math.min(length, limit) / limit) * (HEIGHT - TOP - BOTTOM);
  const step = (width - LEFT - RIGHT) / Math.max(20, oldestFirst.length);
  const line = (length: number, text: string): JSX.Element => (
    <g>
      <line x1={LEFT} x2={width - 8} y1={y(length)} y2={y(length)} stroke="var(--faint)" stroke-dasharray="4 3" opacity="0.7" />
      <text x={LEFT - 6} y={y(length) + 4} text-anchor="end">{duration(length)}</text>
      <text x={width - 8} y={y(length) - 4} text-anchor="end">{text}</text>
    </g>
  );
  return (
    <div ref={box} class="chart">
      <svg width={width} height={HEIGHT} role="group" aria-label="Durations of the last runs">
        <line x1={LEFT} x2={width - 8} y1={HEIGHT - BOTTOM} y2={HEIGHT - BOTTOM} stroke="var(--line)" />
        {oldestFirst.map((run, index) => {
          const length = lengthOf(run);
          return (
            <a key={run.id} href={href(paths.run(run.id))} class={run.state} aria-label={`${run.state}, ${duration(length)}`}>
              <title>{`${run.state}, ${duration(length)}\n${local(ms(run.startedAt ?? run.createdAt))}`}</title>
              <rect x={LEFT + index * step} y={TOP} width={step} height={HEIGHT - TOP - BOTTOM} fill="transparent" />
              <rect x={LEFT + index * step + step * 0.12} width={Math.max(1, step * 0.76)} y={Math.min(y(length), HEIGHT - BOTTOM - 2)} height={Math.max(2, HEIGHT - BOTTOM - y(length))}
                fill="var(--state)" rx="1.5" opacity={run.state === "RUNNING" ? 0.7 : 1} />
              {run.state !== "COMPLETED" && (
                <svg class="sign" x={LEFT + (index + 0.5) * step - SIGN / 2} y={Math.min(y(length), HEIGHT - BOTTOM - 2) - SIGN - 2} width={SIGN} height={SIGN} viewBox="0 0 14 14">
                  {SHAPES[run.state]}
                </svg>
              )}
              {length > limit && run.state === "COMPLETED" && <path d={`M${LEFT + index * step + step / 2 - 3} ${TOP - 2}l3 -5l3 5z`} fill="var(--state)" />}
            </a>
          );
        })}
        {typical && line(typical.median, "median")}
        {typical && typical.p95 > typical.median * 1.1 && line(typical.p95, "95 %")}
      </svg>
    </div>
  );
}

export function RunGrid({ runs }: { runs: readonly Run[] }): JSX.Element {
  return (
    <div class="run-grid">
      {runs.toReversed().map((run) => (
        <a key={run.id} class={run.state} href={href(paths.run(run.id))} title={`${run.state}\n${local(ms(run.startedAt ?? run.createdAt))}`} aria-label={run.state}>
          <Shape state={run.state} />
        </a>
      ))}
    </div>
  );
}

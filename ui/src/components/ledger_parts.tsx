// Beside the list of events: the head and its verification, and how many events were recorded in each hour.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, api, type Query } from "../lib/api";
import type { LedgerHead } from "../lib/api_types";
import { useAnswer } from "../lib/query";
import { setQuery } from "../lib/router";
import { useStream, useThrottled } from "../lib/stream";
import { clock, day, HOUR, now } from "../lib/time";
import { CopyButton, Time, useWidth } from "./basics";

const RANGE = 20_000;
const HOURS = 24;
const AT_ONCE = 2; // a browser has six connections to a service, and the list of events comes first
const RELOAD_MS = 2_000;
const NO_HASH = "0".repeat(64); // takes the place of one

interface Checked {
  upto: number;
  of: number;
  head: string | null;
  broken: string | null;
  running: boolean;
}

export function Verification(): JSX.Element {
  const head = useAnswer("head", (signal) => api.head(signal));
  const reload = useThrottled(head.reload, RELOAD_MS);
  useStream(() => reload());
  const [checked, setChecked] = useState<Checked | null>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);

  async function verify(): Promise<void> {
    const own = new AbortController();
    stop.current = own;
    let state: Checked = { upto: 0, of: head.data?.position ?? 0, head: null, broken: null, running: true };
    setChecked(state);
    try {
      while (state.upto < state.of) {
        const result = await api.verify({ from: state.upto + 1, to: Math.min(state.of, state.upto + RANGE) }, own.signal);
        if (!result.ok) {
          state = { ...state, broken: `${result.reason ?? "The chain is broken"}${result.brokenAt ? `, at position ${result.brokenAt}` : ""}` };
          break;
        }
        state = { ...state, upto: result.to, head: result.head.hash };
        setChecked(state);
      }
    } catch (error) {
      if (!own.signal.aborted) state = { ...state, broken: error instanceof ApiError ? error.message : String(error) };
    }
    setChecked({ ...state, running: false });
  }

  return (
    <section class="panel" aria-label="Head and verification">
      <header>
        <h2>Head</h2>
        <span class="space" />
        <HeadButtons head={head.data} />
        {checked?.running ? (
          <button type="button" class="button" onClick={() => stop.current?.abort()}>Stop</button>
        ) : (
          <button type="button" class="button" disabled={!head.data?.position} onClick={() => void verify()}>Verify</button>
        )}
      </header>
      <div class="body">
        <dl class="facts">
          <dt>Position</dt>
          <dd>{head.data ? head.data.position.toLocaleString() : "–"}</dd>
          <dt>Recorded</dt>
          <dd><Time at={head.data?.recordedAt} /></dd>
          <dt>Hash</dt>
          <dd class="mono small">{head.data?.hash ?? <span class="blank">{NO_HASH}</span>}</dd>
          <dt>Verified</dt>
          <dd><span role="status"><Result checked={checked} /></span></dd>
        </dl>
      </div>
    </section>
  );
}

function Result({ checked }: { checked: Checked | null }): JSX.Element {
  if (!checked) return <span class="faint">Not in this tab. It is checked that each event is hashed over the one before.</span>;
  if (checked.broken) return <span class="tag bad">✕ {checked.broken}</span>;
  const done = checked.upto >= checked.of;
  return (
    <span class="verified">
      {done ? <span class="tag ok">✓ unbroken</span> : <progress value={checked.upto} max={checked.of} />}
      <span>{checked.upto.toLocaleString()} of {checked.of.toLocaleString()} events{checked.running || done ? "" : ", stopped"}</span>
    </span>
  );
}

function HeadButtons({ head }: { head: LedgerHead | undefined }): JSX.Element {
  const text = `${JSON.stringify(head)}\n`;
  function save(): void {
    if (!head) return;
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `runfold-head-${head.position}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }
  return (
    <>
      <CopyButton text={text} what="Head" disabled={!head} />
      <button type="button" class="button quiet" disabled={!head} onClick={save}>Download</button>
    </>
  );
}

interface Bin {
  from: number;
  count: number;
}

async function count(filters: Query, to: number, signal: AbortSignal): Promise<Bin[]> {
  const first = Math.floor(to / HOUR) * HOUR - (HOURS - 1) * HOUR;
  const bins = Array.from({ length: HOURS }, (_, index): Bin => ({ from: first + index * HOUR, count: 0 }));
  const waiting = [...bins];
  async function next(): Promise<void> {
    for (let bin = waiting.shift(); bin; bin = waiting.shift()) {
      const bounds = { since: new Date(bin.from).toISOString(), until: new Date(bin.from + HOUR).toISOString() };
      bin.count = (await api.countEvents({ ...filters, ...bounds }, signal)).count;
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return bins;
}

const HEIGHT = 96;

export function Hours({ filters }: { filters: Query }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const hour = Math.floor(now.value / HOUR);
  const key = JSON.stringify({ ...filters, since: null, until: null });
  const answer = useAnswer(`hours/${hour}/${key}`, (signal) => count({ ...filters, since: null, until: null }, Date.now(), signal));
  const reload = useThrottled(answer.reload, 10_000);
  useStream(() => reload());
  const bins = answer.data ?? [];
  const most = Math.max(1, ...bins.map((bin) => bin.count));
  const total = bins.reduce((sum, bin) => sum + bin.count, 0);
  const step = width / HOURS;
  return (
    <section class="panel" aria-label="Events by hour">
      <header>
        <h2>Recorded by hour</h2>
        <span class="faint count">{answer.data ? `${total.toLocaleString()} in ${HOURS} h, ${most.toLocaleString()} at most` : ""}</span>
      </header>
      <div class="body">
        <div ref={box}>
          <svg width={width} height={HEIGHT + 18} role="group" aria-label="Events recorded in each of the last 24 hours">
            {bins.map((bin, index) => {
              const height = bin.count === 0 ? 1 : Math.max(2, (bin.count / most) * (HEIGHT - 4));
              const show = (): void => setQuery({ from: new Date(bin.from).toISOString(), to: new Date(bin.from + HOUR).toISOString() });
              return (
                <g key={bin.from} class="hit" role="button" tabIndex={0} aria-label={`${bin.count} events from ${clock(bin.from, false)}`} onClick={show}
                  onKeyDown={(event) => event.key === "Enter" && show()}>
                  <title>{`${bin.count.toLocaleString()} events\n${day(bin.from)} ${clock(bin.from, false)} – ${clock(bin.from + HOUR, false)}`}</title>
                  <rect x={index * step} y={0} width={step} height={HEIGHT} fill="transparent" />
                  <rect x={index * step + 1} y={HEIGHT - height} width={Math.max(1, step - 2)} height={height} rx="1.5" fill={bin.count === 0 ? "var(--line)" : "var(--accent)"} />
                  {index % (width < 420 ? 6 : 3) === 0 && <text x={index * step} y={HEIGHT + 14}>{clock(bin.from, false)}</text>}
                </g>
              );
            })}
          </svg>
        </div>
      </div>
    </section>
  );
}

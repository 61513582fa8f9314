// Times and durations as text. Times of the API are in UTC with microseconds; what is shown is in the reader's zone.

import { batch, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** The present time in ms, each second while the page is looked at. */
export const now = signal(Date.now());

type Beat = (second: number) => void;

const beats = new Set<Beat>();
let seconds = 0;
setInterval(() => {
  if (document.hidden) return;
  seconds++;
  batch(() => {
    now.value = Date.now();
    for (const beat of beats) beat(seconds);
  });
}, 1_000);

/**
 * Calls `action` each second while the page is looked at, together with all others: what is drawn at once is one frame,
 * and an open page that draws once a second costs half of one that draws two things a second. `second` counts the calls: what
 * is drawn more seldom is drawn where it is divided by the same number.
 */
export function useBeat(action: Beat): void {
  const latest = useRef(action);
  latest.current = action;
  useEffect(() => {
    const beat: Beat = (second) => latest.current(second);
    beats.add(beat);
    return () => void beats.delete(beat);
  }, []);
}

document.addEventListener("visibilitychange", () => {
  now.value = Date.now();
});

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export function ms(text: string): number {
  return Date.parse(text);
}

const pad = (value: number, digits = 2): string => String(value).padStart(digits, "0");

const month = new Intl.DateTimeFormat(undefined, { month: "short" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short" });

export function clock(at: number, seconds = true): string {
  const date = new Date(at);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}${seconds ? `:${pad(date.getSeconds())}` : ""}`;
}

export function day(at: number): string {
  const date = new Date(at);
  const year = date.getFullYear() === new Date(now.peek()).getFullYear() ? "" : ` ${date.getFullYear()}`;
  return `${date.getDate()} ${month.format(date)}${year}`;
}

/** "14:02:11" today, else "Thu 26 Nov 14:02:11". */
export function local(at: number): string {
  const date = new Date(at);
  const today = new Date(now.peek()).toDateString() === date.toDateString();
  return today ? clock(at) : `${weekday.format(date)} ${day(at)} ${clock(at)}`;
}

/** "2026-11-26 14:02:11.042 +01:00": everything, in the reader's zone. */
export function full(at: number): string {
  const date = new Date(at);
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? "-" : "+"}${pad(Math.floor(Math.abs(offset) / 60))}:${pad(Math.abs(offset) % 60)}`;
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${clock(at)}.${pad(date.getMilliseconds(), 3)} ${zone}`;
}

/** "3 min 20 s": two units at most. */
export function duration(length: number): string {
  const rest = Math.max(0, length);
  if (rest < SECOND) return `${Math.round(rest)} ms`;
  if (rest < 10 * SECOND) return `${(rest / SECOND).toFixed(1)} s`;
  if (rest < MINUTE) return `${Math.floor(rest / SECOND)} s`;
  if (rest < HOUR) return two(rest, MINUTE, "min", SECOND, "s");
  if (rest < DAY) return two(rest, HOUR, "h", MINUTE, "min");
  return two(rest, DAY, "d", HOUR, "h");
}

function two(length: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((length % large) / small);
  return `${Math.floor(length / large)} ${largeName}${rest ? ` ${rest} ${smallName}` : ""}`;
}

/** "3 min ago" or "in 2 h": one unit. */
export function relative(at: number, from: number): string {
  const distance = Math.abs(from - at);
  if (distance < 5 * SECOND) return "now";
  const [size, name] = distance < MINUTE ? [SECOND, "s"] : distance < HOUR ? [MINUTE, "min"] : distance < DAY ? [HOUR, "h"] : [DAY, "d"];
  const text = `${Math.floor(distance / Number(size))} ${name}`;
  return at <= from ? `${text} ago` : `in ${text}`;
}

/** The value of an input of type datetime-local, to the minute. */
export function inputValue(iso: string | null): string {
  if (!iso) return "";
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

export function isoOfInput(value: string): string | null {
  const date = new Date(value);
  return value && !Number.isNaN(date.getTime()) ? date.toISOString() : null;
}

/** Returns round times between two times, at most `count`, and how far they are apart. */
export function ticks(from: number, to: number, count: number): { at: number[]; step: number } {
  const steps = [1, 2, 5, 10, 15, 30].map((n) => n * SECOND);
  steps.push(...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE), ...[1, 2, 3, 6, 12].map((n) => n * HOUR), ...[1, 2, 7, 14, 30, 91, 365].map((n) => n * DAY));
  const fine = [1, 2, 5, 10, 20, 50, 100, 200, 500];
  const step = [...fine, ...steps].find((each) => (to - from) / each <= count) ?? 365 * DAY;
  const zone = step >= HOUR ? new Date(from).getTimezoneOffset() * MINUTE : 0;
  const at: number[] = [];
  for (let tick = Math.ceil((from - zone) / step) * step + zone; tick <= to; tick += step) at.push(tick);
  return { at, step };
}

export function tickText(at: number, step: number): string {
  if (step >= DAY) return day(at);
  if (step >= MINUTE) return clock(at, false) === "00:00" ? day(at) : clock(at, false);
  if (step >= SECOND) return clock(at);
  return `${clock(at)}.${String(new Date(at).getMilliseconds()).padStart(3, "0")}`;
}

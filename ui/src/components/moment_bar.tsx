// The slider over time: what is shown as it stood, or as it was known, at a moment.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { isPast, type Moment, type MomentClock, setMoment } from "../lib/moment";
import { inputValue, isoOfInput, local, ms, now } from "../lib/time";

const STEPS = 400;
const SETTLED_MS = 150;

interface Props {
  moment: Moment;
  from: number; // where the slider begins, in ms
  stops?: readonly string[]; // what the buttons step to, oldest first; without them there are no buttons
}

export function MomentBar({ moment, from, stops }: Props): JSX.Element {
  const [chosen, setClock] = useState<MomentClock>(moment.knownAt !== null ? "knownAt" : "validAt");
  const clock: MomentClock = moment.knownAt !== null ? "knownAt" : moment.validAt !== null ? "validAt" : chosen;
  const at = moment[clock];
  const [moved, setMoved] = useState<number | null>(null);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => setMoved(null), [at]);
  const end = now.peek();
  const start = Math.min(from, at === null ? from : ms(at));
  const place = (time: number): number => Math.round(((time - start) / Math.max(1, end - start)) * STEPS);
  const time = (step: number): string | null => (step >= STEPS ? null : new Date(start + ((end - start) * step) / STEPS).toISOString());

  function move(step: number): void {
    setMoved(step);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setMoment(clock, time(step), true), SETTLED_MS);
  }
  const before = stops?.findLast((stop) => at === null || ms(stop) < ms(at)) ?? null;
  const after = at === null ? null : (stops?.find((stop) => ms(stop) > ms(at)) ?? null);
  const value = moved ?? (at === null ? STEPS : place(ms(at)));
  const shown = moved === null ? at : time(moved);
  return (
    <div class="known-at moment" data-past={isPast(moment)}>
      <select aria-label="Which past" value={clock} onChange={(event) => {
        const next = event.currentTarget.value === "knownAt" ? "knownAt" : "validAt";
        setClock(next);
        if (at !== null) setMoment(next, at);
      }}>
        <option value="validAt">As it stood</option>
        <option value="knownAt">As it was known</option>
      </select>
      {stops && (
        <button type="button" class="button quiet" disabled={before === null} aria-label="One version back" onClick={() => setMoment(clock, before)}>‹</button>
      )}
      <input type="range" min={0} max={STEPS} value={value} aria-label="Moment" aria-valuetext={shown === null ? "now" : local(ms(shown))}
        onInput={(event) => move(event.currentTarget.valueAsNumber)} />
      {stops && (
        <button type="button" class="button quiet" disabled={at === null} aria-label="One version on" onClick={() => setMoment(clock, after)}>›</button>
      )}
      <span class="moment-text">{shown === null ? "now" : local(ms(shown))}</span>
      <input type="datetime-local" step="1" aria-label="At" title="At this time, in your time zone" value={inputValue(at)}
        onChange={(event) => setMoment(clock, isoOfInput(event.currentTarget.value))} />
      {isPast(moment) && (
        <button type="button" class="button" onClick={() => setMoment(clock, null)}>
          Back to now
        </button>
      )}
    </div>
  );
}

/** Says what is looked at where that is not the present. */
export function AsOf({ moment, what, children }: { moment: Moment; what: string; children?: JSX.Element | string }): JSX.Element | null {
  if (!isPast(moment)) return null;
  const { knownAt, validAt } = moment;
  return (
    <p class="as-of" role="status">
      This is {what} as {validAt !== null && <>it stood at <b>{local(ms(validAt))}</b></>}
      {validAt !== null && knownAt !== null && ", "}
      {knownAt !== null && <>it was known at <b>{local(ms(knownAt))}</b></>}.{children && <> {children}</>}
    </p>
  );
}

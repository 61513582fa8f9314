// The slider over what was known: each stop is an event, and the run is shown as it was known when that was recorded.

import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import type { HistoryEvent } from "../lib/api_types";
import { setQuery } from "../lib/router";
import { inputValue, isoOfInput, local, MINUTE, ms } from "../lib/time";

interface Props {
  events: readonly HistoryEvent[];
  knownAt: string | null;
}

/** Returns the number of events that were recorded up to a time. */
export function knownCount(events: readonly HistoryEvent[], knownAt: string | null): number {
  if (knownAt === null) return events.length;
  const at = ms(knownAt);
  // Times of the API have microseconds and those of the browser have not: texts in the same form decide within a ms.
  return events.filter((event) => ms(event.recordedAt) < at || (ms(event.recordedAt) === at && event.recordedAt <= knownAt)).length;
}

export function KnownAt({ events, knownAt }: Props): JSX.Element {
  const known = knownCount(events, knownAt);
  const last = events[known - 1];
  const opened = useRef(new Date(Math.floor(Date.now() / MINUTE) * MINUTE).toISOString());
  function show(count: number): void {
    const event = events[count - 1];
    setQuery({ knownAt: count >= events.length || !event ? null : event.recordedAt }, true);
  }
  return (
    <div class="known-at">
      <label for="known-at-time">What was known at</label>
      <input id="known-at-time" type="datetime-local" title="Any time, in your time zone" value={inputValue(knownAt ?? opened.current)}
        onChange={(event) => setQuery({ knownAt: isoOfInput(event.currentTarget.value) })} />
      <button type="button" class="button quiet" disabled={known <= 1} onClick={() => show(known - 1)} aria-label="One event back">‹</button>
      <input type="range" aria-label="Events that were known" min={1} max={events.length} value={known}
        aria-valuetext={`${known} of ${events.length} events`} onInput={(event) => show(event.currentTarget.valueAsNumber)} />
      <button type="button" class="button quiet" disabled={knownAt === null} onClick={() => show(known + 1)} aria-label="One event on">›</button>
      <span class="known-text">
        {knownAt === null ? (
          <>now: all {events.length} events</>
        ) : (
          <>
            <b>{known}</b> of {events.length} events{last ? `, the last at ${local(ms(last.recordedAt))}` : ""}
          </>
        )}
      </span>
      {knownAt !== null && (
        <button type="button" class="button" onClick={() => setQuery({ knownAt: null })}>
          Back to now
        </button>
      )}
    </div>
  );
}

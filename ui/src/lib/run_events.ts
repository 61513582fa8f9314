// The history of a run: read page by page, with payloads until they are many.

import { api, charactersRead } from "./api";
import type { History, HistoryEvent, LedgerEvent } from "./api_types";
import { type Answer, useAnswer } from "./query";

const PAGE = 500;
const MOST_EVENTS = 10_000;
/** Characters after which a history is read without payloads: a page of 4 MiB takes the service longer than all that follow without them. */
const MOST_WITH_PAYLOADS = 8 * 1024 * 1024;

interface Page {
  cursor: string | null;
  from: number; // the number of events before it
  read: number; // characters, of all that are before it
}

export interface Events {
  events: HistoryEvent[];
  more: boolean;
  last: Page;
  read: number; // characters
}

/** Reads the events of a run; of a history that was read before, its last page and what follows. */
export async function readEvents(id: string, before: Events | undefined, signal: AbortSignal, show: (part: Events) => void): Promise<Events> {
  let last = before?.last ?? { cursor: null, from: 0, read: 0 };
  const events = before?.events.slice(0, last.from) ?? [];
  for (;;) {
    const begun = charactersRead(signal);
    const withoutPayloads = last.read >= MOST_WITH_PAYLOADS ? true : null;
    const page: History = await api.history(id, { limit: PAGE, cursor: last.cursor, withoutPayloads }, signal);
    const read = last.read + charactersRead(signal) - begun;
    events.push(...page.events);
    const more = page.next !== null;
    if (!more || events.length >= MOST_EVENTS) return { events, more, last, read };
    if (last.from === 0) show({ events: [...events], more: false, last, read });
    last = { cursor: page.next, from: events.length, read };
  }
}

/** Returns an event with its payload, which is read where the list has it without. */
export function useWhole<E extends LedgerEvent>(event: E): Answer<E> {
  const { position } = event;
  const answer = useAnswer(event.payloadOmitted ? `event/${position}` : null, (signal) => api.event(position, signal));
  if (!event.payloadOmitted) return { ...answer, data: event };
  if (!answer.data) return { ...answer, data: undefined };
  const whole = { ...event, ...answer.data };
  delete whole.payloadOmitted;
  return { ...answer, data: whole };
}

/** Returns an event without its payload, as a list keeps it. */
export function outlineOf(event: LedgerEvent): LedgerEvent {
  return event.payloadDigest === null ? event : { ...event, payload: null, payloadOmitted: true };
}

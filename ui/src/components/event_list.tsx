// The events of a run or of the ledger: rows of one line, and the chosen one in full beside or below them.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { HistoryEvent, LedgerEvent, Verdict } from "../lib/api_types";
import { href, paths } from "../lib/router";
import { useWhole } from "../lib/run_events";
import { duration, ms } from "../lib/time";
import { CopyButton, Problem, Skeleton, State, Time } from "./basics";
import { Json } from "./json";
import { Windowed } from "./windowed";

const ROW = 32;
const MOST_ABOVE = 0.6; // of the window: where the event begins below it, as in a narrow window, it is scrolled into view
/** Sources whose events name an API key; those of commands name a person or a program. */
const OF_KEYS: ReadonlySet<string> = new Set(["api", "openlineage"]);

function verdictOf(event: LedgerEvent | HistoryEvent): Verdict | null {
  return "verdict" in event ? event.verdict : null;
}

export function VerdictTags({ event }: { event: HistoryEvent | LedgerEvent }): JSX.Element {
  const verdict = verdictOf(event);
  if (!verdict) return <></>;
  return (
    <>
      {verdict.effect === "superseded" && <span class="tag" title={verdict.reason ?? ""}>replaced</span>}
      {verdict.effect === "unchanged" && <span class="tag" title={verdict.reason ?? ""}>no change</span>}
      {verdict.effect === "stands" && <span class="tag ok" title={verdict.reason ?? ""}>stands</span>}
      {verdict.late && <span class="tag late" title="It happened before what was recorded already">late</span>}
      {verdict.attempt > 1 && <span class="tag">attempt {verdict.attempt}</span>}
    </>
  );
}

export function lagOf(event: LedgerEvent): number {
  return ms(event.recordedAt) - ms(event.transitionedAt);
}

interface Props {
  events: readonly (HistoryEvent | LedgerEvent)[];
  selected: number | null;
  onSelect: (position: number | null) => void;
  onEnd?: () => void;
  withJob?: boolean;
  height?: string;
  fresh?: ReadonlySet<number>;
  known?: number; // how many of them were known at the time that is shown
}

export function EventList({ events, selected, onSelect, onEnd, withJob = false, height, fresh, known = events.length }: Props): JSX.Element {
  const index = events.findIndex((event) => event.position === selected);
  const chosen = events[index];
  const columns = withJob ? "ledger-line" : "event-line";
  return (
    <div class={`events${chosen ? " with-detail" : ""}`}>
      <div class="table" role="table" aria-label="Events" aria-rowcount={events.length}>
        <div class={`line titles ${columns}`} role="row">
          <span role="columnheader">Position</span>
          <span role="columnheader">Event</span>
          {withJob && <span role="columnheader">Job</span>}
          <span role="columnheader">Happened</span>
          <span role="columnheader">Recorded</span>
          <span role="columnheader" class="lag-cell">Lag</span>
          {!withJob && <span role="columnheader">Verdict</span>}
          <span role="columnheader" class="source-cell">Source</span>
        </div>
        <Windowed items={events} rowHeight={ROW} height={height ?? `${Math.min(14, Math.max(1, events.length)) * ROW}px`} label="Events" table
          onEnd={onEnd} selected={index} of={[selected, fresh, columns, known]}
          row={(event, place, top) => (
            <div key={event.position} class={`line row ${columns}${fresh?.has(event.position) ? " fresh" : ""}${place < known ? "" : " later"}`} role="row" aria-rowindex={place + 1} tabIndex={0}
              style={{ top: `${top}px` }} aria-selected={event.position === selected}
              onClick={() => onSelect(event.position === selected ? null : event.position)}
              onKeyDown={(key) => key.key === "Enter" && onSelect(event.position)}>
              <span role="cell" class="faint">{event.position}</span>
              <span role="cell" class={event.state ? undefined : "cut faint"}>{event.state ? <State state={event.state} /> : `${event.subject} ${event.kind}`}</span>
              {withJob && <span role="cell" class="cut"><span class="faint">{event.namespace}{event.job ? " / " : ""}</span>{event.job}</span>}
              <span role="cell"><Time at={event.transitionedAt} /></span>
              <span role="cell"><Time at={event.recordedAt} /></span>
              <span role="cell" class="lag-cell faint nowrap">{lagOf(event) < 1_000 ? "" : duration(lagOf(event))}</span>
              {!withJob && <span role="cell" class="tags">{place < known ? <VerdictTags event={event} /> : <span class="tag">not known then</span>}</span>}
              <span role="cell" class="cut faint source-cell">{event.source}{event.actor ? ` · ${event.actor}` : ""}</span>
            </div>
          )} />
      </div>
      {chosen && <EventDetail event={chosen} onClose={() => onSelect(null)} withRun={withJob} />}
    </div>
  );
}

function EventDetail({ event, onClose, withRun }: { event: HistoryEvent | LedgerEvent; onClose: () => void; withRun: boolean }): JSX.Element {
  const [search, setSearch] = useState("");
  const verdict = verdictOf(event);
  const whole = useWhole(event);
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    const list = box.current?.previousElementSibling?.getBoundingClientRect();
    const top = box.current?.getBoundingClientRect().top ?? 0;
    if (list && top >= list.bottom && top > innerHeight * MOST_ABOVE) box.current?.scrollIntoView({ block: "start" });
  }, [event.position]);
  return (
    <aside class="detail" ref={box} aria-label={`Event ${event.position}`}>
      <div class="head">
        <h3>Event {event.position}</h3>
        <VerdictTags event={event} />
        <span class="space" />
        <CopyButton text={() => JSON.stringify(whole.data, null, 2)} what="Event" disabled={!whole.data} />
        <button type="button" class="button quiet" onClick={onClose} aria-label="Close the event">✕</button>
      </div>
      <dl class="facts">
        {withRun && event.subject === "run" && <><dt>Run</dt><dd><a href={href(`${paths.run(event.id)}?event=${event.position}`)} class="mono">{event.id}</a></dd></>}
        {verdict?.reason && <><dt>Verdict</dt><dd>{verdict.reason}</dd></>}
        <dt>Happened</dt><dd class="mono">{event.transitionedAt}</dd>
        <dt>Recorded</dt><dd class="mono">{event.recordedAt}</dd>
        <dt>Source</dt><dd>{event.source}{event.actor && <> by {OF_KEYS.has(event.source) && "the key "}<code>{event.actor}</code></>}</dd>
        <dt>Hash</dt><dd class="mono small">{event.hash}</dd>
        {event.payloadDigest && <><dt>Payload’s SHA-256</dt><dd class="mono small">{event.payloadDigest}</dd></>}
      </dl>
      {whole.error && <Problem error={whole.error} retry={whole.reload} />}
      {whole.data ? <Payload event={whole.data} search={search} setSearch={setSearch} /> : !whole.error && <Skeleton rows={3} />}
    </aside>
  );
}

interface PayloadProps {
  event: LedgerEvent;
  search: string;
  setSearch: (search: string) => void;
}

function Payload({ event, search, setSearch }: PayloadProps): JSX.Element {
  if (event.payload === null || event.payload === undefined) {
    const archived = event.payloadArchived && `The payload is in the archive ${event.payloadArchived.file}.`;
    return <p class="faint">{archived ?? (event.payloadDigest ? "The payload is not in the database any more." : "It came without a payload.")}</p>;
  }
  return (
    <>
      <input type="search" placeholder="Search the payload" aria-label="Search the payload" value={search}
        onInput={(input) => setSearch(input.currentTarget.value)} />
      <div class="json"><Json value={event.payload} name="payload" search={search.toLowerCase()} /></div>
    </>
  );
}

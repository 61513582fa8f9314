// The ledger: every event by any filter, as it grows; how much was recorded when; and whether all of it is unbroken.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { CurlButton, Empty, Problem, Skeleton, useTitle } from "../components/basics";
import { EventList } from "../components/event_list";
import { NamespaceFilter, StateChips, TextFilter, TimeInput } from "../components/run_filter_bar";
import { Growth } from "../components/growth";
import { Hours, Verification } from "../components/ledger_parts";
import { ApiError, api, type Query, target } from "../lib/api";
import type { LedgerEvent } from "../lib/api_types";
import { download } from "../lib/download";
import { useShortcuts } from "../lib/keys";
import { go, query, setQuery } from "../lib/router";
import { access, isBound } from "../lib/lineage_api";
import { useEvents as useArriving } from "../lib/stream";
import { FirstSteps } from "./runs";

const PAGE = 200;
const MOST = 10_000;
const FILTERS = ["namespace", "job", "run", "kind", "state", "source", "actor"] as const;
const KINDS = ["transition", "facts", "defined", "deleted", "created", "revoked", "archived", "restored", "erased"] as const;
const SOURCES = ["api", "openlineage", "import", "monitor", "cli"] as const;

function eventQuery(parameters: URLSearchParams): Query {
  const result: Query = { since: parameters.get("from"), until: parameters.get("to") };
  for (const name of FILTERS) result[name] = parameters.get(name);
  return result;
}

/** Whether an event of the stream belongs to the list; the same as the service decides for a page. */
function matches(event: LedgerEvent, parameters: URLSearchParams): boolean {
  const one = (name: string, value: string | null): boolean => {
    const wanted = parameters.get(name);
    return !wanted || (value !== null && wanted.split(",").includes(value));
  };
  const until = parameters.get("to");
  return (
    one("namespace", event.namespace) && one("job", event.job) && one("kind", event.kind) && one("state", event.state) &&
    one("source", event.source) && one("actor", event.actor) && one("run", event.subject === "run" ? event.id : null) &&
    (!until || event.recordedAt < until)
  );
}

interface Listed {
  key: string;
  events: LedgerEvent[];
  next: string | null;
  held: LedgerEvent[]; // arrived while the tail is paused
  fresh: ReadonlySet<number>;
  error: ApiError | null;
  loading: boolean;
}

const NOTHING: Listed = { key: "", events: [], next: null, held: [], fresh: new Set(), error: null, loading: true };

function useEvents(key: string, following: boolean): { list: Listed; more: () => void; reload: () => void } {
  const [list, setList] = useState<Listed>(NOTHING);
  const current = useRef(list);
  const busy = useRef(false);
  const wanted = useRef(key); // an answer to other filters may arrive later than one to these
  wanted.current = key;
  function put(change: Partial<Listed>): void {
    current.current = { ...current.current, ...change };
    setList(current.current);
  }
  async function read(cursor: string | null): Promise<void> {
    if (busy.current && cursor !== null) return;
    busy.current = true;
    try {
      const page = await api.events({ ...eventQuery(new URLSearchParams(key)), order: "desc", limit: PAGE, cursor, withoutPayloads: true });
      if (wanted.current !== key) return;
      const before = cursor === null ? [] : current.current.events;
      const last = before.at(-1)?.position ?? Infinity;
      put({ ...NOTHING, key, events: [...before, ...page.events.filter((event) => event.position < last)], next: page.next, loading: false });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (wanted.current !== key) return;
      put({ error, loading: false });
      if (error.passing) setTimeout(() => wanted.current === key && void read(cursor), 4_000);
    } finally {
      if (wanted.current === key) busy.current = false;
    }
  }
  useEffect(() => {
    put({ ...NOTHING });
    void read(null);
  }, [key]);
  useEffect(() => {
    const { held, events } = current.current;
    if (following && held.length > 0) put({ events: [...held, ...events].slice(0, MOST), held: [], fresh: new Set(held.map((event) => event.position)) });
  }, [following]);
  useArriving(({ events: arrived, gap }) => {
    if (current.current.loading) return;
    if (gap) {
      if (following) void read(null);
      return;
    }
    const known = current.current.events[0]?.position ?? 0;
    const parameters = new URLSearchParams(key);
    const found = arrived.filter((event) => event.position > known && matches(event, parameters)).reverse();
    if (found.length === 0) return;
    if (following) put({ events: [...found, ...current.current.events].slice(0, MOST), fresh: new Set(found.map((event) => event.position)) });
    else put({ held: [...found, ...current.current.held].slice(0, MOST) });
  });
  return { list, more: () => current.current.next !== null && current.current.events.length < MOST && void read(current.current.next), reload: () => void read(null) };
}

export function LedgerPage(): JSX.Element {
  useTitle("Ledger");
  const filters = new URLSearchParams(query.value);
  const chosen = filters.get("event");
  const following = filters.get("tail") !== "off";
  filters.delete("event");
  filters.delete("tail");
  filters.delete("stats");
  const { list, more, reload } = useEvents(filters.toString(), following);
  const there = list.events.length > 0;
  useEffect(() => {
    if (there && chosen !== null) document.querySelector(".events")?.scrollIntoView({ block: "nearest" });
  }, [there]); // what the address names is in view, not what is clicked later
  const toggle = (): void => setQuery({ tail: following ? "off" : null }, true);
  useShortcuts("Ledger", [{ keys: "p", text: "Pause or follow", action: toggle }]);
  const path = target("/events", { ...eventQuery(filters), order: "desc", limit: PAGE });
  const all = target("/events", eventQuery(filters));
  const filtered = [...filters.keys()].length > 0;
  if (access.value === undefined) return <Skeleton rows={20} />;
  return (
    <div class="stack">
      <div class="head">
        <h1>Ledger</h1>
        <span class="space" />
        <button type="button" class="button" aria-pressed={following} onClick={toggle}>
          {following ? "Following" : list.held.length > 0 ? `Paused, ${list.held.length.toLocaleString()} held` : "Paused"}
        </button>
        <button type="button" class="button quiet" onClick={() => void download(all, "text/csv", "events.csv")}>CSV</button>
        <button type="button" class="button quiet" onClick={() => void download(all, "application/x-ndjson", "events.ndjson")}>NDJSON</button>
        <CurlButton path={path} />
      </div>
      <div class="columns small-parts">
        {!isBound.value && <Verification />}
        <Hours filters={eventQuery(filters)} />
        <Growth />
      </div>
      <div class="filters">
        <StateChips />
        <Choice name="kind" label="Any kind" values={KINDS} />
        <Choice name="source" label="Any source" values={SOURCES} />
        <NamespaceFilter />
        <TextFilter name="job" label="Job name" filter />
        <TextFilter name="run" label="Run id" />
        <TextFilter name="actor" label="API key’s name" />
        <label>Recorded <TimeInput name="from" label="Recorded from" /></label>
        <label>until <TimeInput name="to" label="Recorded until" /></label>
        {filtered && <button type="button" class="button quiet" onClick={() => go("/ledger")}>Clear</button>}
      </div>
      {list.error && <Problem error={list.error} retry={reload} />}
      <section class="panel" aria-label="Events">
        {list.events.length > 0 ? (
          <EventList events={list.events} selected={chosen === null ? null : Number(chosen)} withJob onEnd={more} height="calc(100vh - 14rem)" fresh={list.fresh}
            onSelect={(position) => setQuery({ event: position === null ? null : String(position) }, true)} />
        ) : list.loading ? (
          <Skeleton rows={20} />
        ) : (
          !list.error && (filtered ? <Empty title="No event matches these filters" /> : <FirstSteps />)
        )}
      </section>
    </div>
  );
}

function Choice({ name, label, values }: { name: string; label: string; values: readonly string[] }): JSX.Element {
  const value = query.value.get(name) ?? "";
  return (
    <select aria-label={name} value={value} onChange={(event) => setQuery({ [name]: event.currentTarget.value })}>
      <option value="">{label}</option>
      {values.map((each) => <option key={each} value={each}>{each}</option>)}
    </select>
  );
}

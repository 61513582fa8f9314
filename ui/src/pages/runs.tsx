// The runs of all jobs: every filter and the order are in the address, and nothing moves under the cursor.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { CurlButton, Command, Empty, Problem, Skeleton, useTitle } from "../components/basics";
import { IN_ROW, inRow, RunRow } from "../components/run_row";
import { RunFilterBar } from "../components/run_filter_bar";
import { Windowed } from "../components/windowed";
import { ApiError, api, curlKey, hasKey, outage, type Query, target } from "../lib/api";
import type { Run } from "../lib/api_types";
import { download } from "../lib/download";
import { useShortcuts } from "../lib/keys";
import { go, origin, paths, query, setQuery } from "../lib/router";
import { hasFilters, runQuery, sortOf, type Sort } from "../lib/run_filters";
import { useStream, useThrottled } from "../lib/stream";

const PAGE = 100;
const ROW = 32;
const LOOK_MS = 2_000;
const MOST_LOOKED_UP = 500;
const MOST_LISTED = 20_000;

interface Listed {
  key: string;
  query: Query;
  runs: Run[];
  next: string | null;
  waiting: number; // runs that are not shown yet, in the first page of the list as it is now
  fresh: ReadonlySet<string>;
  error: ApiError | null;
  loading: boolean;
}

const NOTHING: Omit<Listed, "key" | "query"> = { runs: [], next: null, waiting: 0, fresh: new Set(), error: null, loading: true };

/** The list of runs for the present filters: read page by page, kept current in place, with a count of what is new. */
function useRuns(key: string): { list: Listed; more: () => void; reload: () => void } {
  const [list, setList] = useState<Listed>({ key: "", query: {}, ...NOTHING });
  const current = useRef(list);
  const busy = useRef(false);
  const retry = useRef(0);
  const wanted = useRef(key); // an answer to other filters may arrive later than one to these
  wanted.current = key;
  current.current = list;

  function put(change: Partial<Listed>): void {
    current.current = { ...current.current, ...change };
    setList(current.current);
  }

  async function load(fresh: boolean): Promise<void> {
    const parameters = runQuery(new URLSearchParams(key), Date.now());
    clearTimeout(retry.current);
    try {
      const page = await api.runs({ ...parameters, ...IN_ROW, limit: PAGE });
      if (wanted.current !== key) return;
      const known = new Set(current.current.key === key ? current.current.runs.map((run) => run.id) : []);
      const added = fresh ? page.runs.filter((run) => !known.has(run.id)).map((run) => run.id) : [];
      put({ ...NOTHING, key, query: parameters, runs: page.runs.map(inRow), next: page.next, fresh: new Set(added), loading: false });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (wanted.current !== key) return;
      put({ key, query: parameters, error, loading: false, ...(current.current.key === key ? {} : { runs: [], next: null }) });
      if (error.passing) retry.current = window.setTimeout(() => void load(fresh), 4_000);
    }
  }

  useEffect(() => {
    put({ loading: true, error: null });
    void load(false);
    return () => clearTimeout(retry.current);
  }, [key]);

  async function more(): Promise<void> {
    const { next, query: parameters, key: of } = current.current;
    if (next === null || busy.current || of !== key || current.current.runs.length >= MOST_LISTED) return;
    busy.current = true;
    try {
      const page = await api.runs({ ...parameters, ...IN_ROW, limit: PAGE, cursor: next });
      if (current.current.key !== of) return;
      const known = new Set(current.current.runs.map((run) => run.id));
      put({ runs: [...current.current.runs, ...page.runs.filter((run) => !known.has(run.id)).map(inRow)], next: page.next, error: null });
    } catch (error) {
      if (!(error instanceof ApiError) || current.current.key !== of) return;
      put({ error });
      if (error.passing) retry.current = window.setTimeout(() => void more(), 4_000);
    } finally {
      busy.current = false;
    }
  }

  const changed = useRef(new Set<string>());
  const look: () => void = useThrottled(() => {
    void (async () => {
      const { runs, query: parameters, key: of } = current.current;
      const ids = runs.map((run) => run.id).filter((id) => changed.current.has(id));
      changed.current.clear();
      try {
        const first = await api.runs({ ...parameters, ...IN_ROW, limit: PAGE });
        const found = ids.length > 0 ? (await api.lookUp(ids.slice(0, MOST_LOOKED_UP), IN_ROW)).runs : {};
        if (current.current.key !== of) return;
        const known = new Set(current.current.runs.map((run) => run.id));
        put({
          runs: current.current.runs.map((run) => {
            const changed = found[run.id];
            return changed ? inRow(changed) : run;
          }),
          waiting: first.runs.filter((run) => !known.has(run.id)).length,
          fresh: new Set(ids),
        });
      } catch (error) {
        if (!(error instanceof ApiError) || !error.passing || current.current.key !== of) return;
        outage.value = error.message;
        for (const id of ids) changed.current.add(id);
        look();
      }
    })();
  }, LOOK_MS);

  useStream((events) => {
    if (current.current.loading) return;
    if (events === null) look();
    for (const event of events ?? []) {
      if (event.subject !== "run") continue;
      changed.current.add(event.id);
      look();
    }
  });

  return { list, more: () => void more(), reload: () => void load(true) };
}

const TITLES: readonly { name: string; class?: string; sort?: Sort }[] = [
  { name: "State" },
  { name: "Job" },
  { name: "Notes", class: "marks-cell" },
  { name: "Started", sort: "start" },
  { name: "Duration", sort: "duration" },
  { name: "Ended", class: "ended-cell", sort: "end" },
  { name: "Last heard", class: "heard-cell", sort: "update" },
];

export function Titles(): JSX.Element {
  const sort = sortOf(query.value);
  const ascending = query.value.get("order") === "asc";
  return (
    <div class="line titles run-line" role="row">
      {TITLES.map((title) => (
        <span key={title.name} class={title.class} role="columnheader"
          aria-sort={title.sort === sort ? (ascending ? "ascending" : "descending") : undefined}>
          {title.sort ? (
            <button type="button" onClick={() => setQuery({ sort: title.sort === "start" ? null : (title.sort ?? null), order: title.sort === sort && !ascending ? "asc" : null })}>
              {title.name}
              <span aria-hidden="true">{title.sort === sort ? (ascending ? "↑" : "↓") : ""}</span>
            </button>
          ) : (
            title.name
          )}
        </span>
      ))}
    </div>
  );
}

export function RunsPage(): JSX.Element {
  useTitle("Runs");
  const key = query.value.toString();
  const { list, more, reload } = useRuns(key);
  const [selected, setSelected] = useState(-1);
  useEffect(() => setSelected(-1), [key]);
  const longest = list.runs.reduce((most, run) => Math.max(most, run.durationMs ?? 0), 0);
  const move = (step: number): void => setSelected((before) => Math.max(0, Math.min(list.runs.length - 1, before + step)));
  const open = (): void => {
    const run = list.runs[selected];
    if (run) go(paths.run(run.id));
  };
  useShortcuts("Runs", [
    { keys: "j", text: "Next run", action: () => move(1) },
    { keys: "k", text: "Run before", action: () => move(-1) },
    { keys: "ArrowDown", text: "Next run", action: () => move(1) },
    { keys: "ArrowUp", text: "Run before", action: () => move(-1) },
    { keys: "Enter", text: "Open the run", action: open },
    { keys: "n", text: "Show new runs", action: reload },
    { keys: "x", text: "Clear all filters", action: () => go("/runs") },
  ]);
  const path = target("/runs", { ...runQuery(query.value, Date.now()), limit: PAGE });
  const all = target("/runs", runQuery(query.value, Date.now()));
  return (
    <>
      <div class="head">
        <h1>Runs</h1>
        <span class="faint count">
          {list.loading && list.runs.length === 0 ? "" : `${list.runs.length.toLocaleString()}${list.next ? "+" : ""}`}
        </span>
        <span class="space" />
        <button type="button" class="button quiet" onClick={() => void download(all, "text/csv", "runs.csv")}>CSV</button>
        <button type="button" class="button quiet" onClick={() => void download(all, "application/x-ndjson", "runs.ndjson")}>NDJSON</button>
        <CurlButton path={path} />
      </div>
      <RunFilterBar />
      {list.error && <Problem error={list.error} retry={reload} />}
      <div class="notice" aria-live="polite">
        {list.next !== null && list.runs.length >= MOST_LISTED && <span class="faint">The list ends at {list.runs.length.toLocaleString()} runs; CSV and NDJSON have all of them.</span>}
        {list.waiting > 0 && (
          <button type="button" class="button primary" onClick={reload}>
            {list.waiting === PAGE ? `${PAGE}+` : list.waiting} new
          </button>
        )}
      </div>
      <div class="panel table" role="table" aria-label="Runs" aria-rowcount={list.next ? -1 : list.runs.length}
        aria-busy={list.loading}>
        <Titles />
        {list.runs.length > 0 ? (
          <Windowed items={list.runs} rowHeight={ROW} height="calc(100vh - 12.5rem)" label="Runs" table onEnd={more} selected={selected} of={[selected, list.fresh, longest]}
            row={(run, index, top) => (
              <RunRow key={run.id} run={run} index={index} top={top} selected={index === selected} fresh={list.fresh.has(run.id)} longest={longest} />
            )} />
        ) : list.loading ? (
          <Skeleton rows={20} />
        ) : (
          !list.error && <NoRuns />
        )}
      </div>
    </>
  );
}

function NoRuns(): JSX.Element {
  if (hasFilters(query.value)) {
    return (
      <Empty title="No run matches these filters">
        <button type="button" class="button" onClick={() => go("/runs")}>
          Clear all filters
        </button>
      </Empty>
    );
  }
  return <FirstSteps />;
}

/** What to send to a service that knows nothing yet. */
export function FirstSteps(): JSX.Element {
  const event = JSON.stringify({
    eventType: "START",
    eventTime: new Date().toISOString(),
    run: { runId: crypto.randomUUID?.() ?? "870492da-ecfb-4be0-91b9-9a89ddd3db90" },
    job: { namespace: "etl", name: "load" },
    producer: "https://example.com/me",
    schemaURL: "https://openlineage.io/spec/2-0-2/OpenLineage.json",
  });
  const auth = hasKey.value ? ',"auth":{"type":"api_key","apiKey":"\'"$RUNFOLD_API_KEY"\'"}' : "";
  return (
    <Empty title="Nothing is recorded yet" page>
      <p>Send the first event, and it appears here:</p>
      <Command text={`curl -X POST${curlKey()} ${origin()}/api/v1/lineage -H 'Content-Type: application/json' -d '${event}'`} />
      <p>Let Airflow report to this service:</p>
      <Command text={`AIRFLOW__OPENLINEAGE__TRANSPORT='{"type":"http","url":"${origin()}"${auth}}'`} />
      <p>Or look at a month of examples first, which has a ledger and an address of its own:</p>
      <Command text="runfold demo --history" />
    </Empty>
  );
}

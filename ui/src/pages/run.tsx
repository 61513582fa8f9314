// One run: what became of it, why, when that was known, and every event that says so.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { CopyButton, CurlButton, Empty, JobLink, Length, Problem, Skeleton, State, Time, useTitle } from "../components/basics";
import { Datasets } from "../components/datasets";
import { EventList } from "../components/event_list";
import { ErrorMessage, Facets } from "../components/facets";
import { FailedWithin, useFailedWithin } from "../components/failed_within";
import { Gantt, parentOf, type Tree, useTree } from "../components/gantt";
import { HistoryChart } from "../components/history_chart";
import { KnownAt, knownCount } from "../components/known_at";
import { Marks } from "../components/run_row";
import { api, target } from "../lib/api";
import type { Facets as FacetsOfJob, FoundPage, HistoryEvent, Run } from "../lib/api_types";
import { useShortcuts } from "../lib/keys";
import { type Answer, useAnswer, useSettled } from "../lib/query";
import { href, paths, query, setQuery } from "../lib/router";
import { type Events, readEvents } from "../lib/run_events";
import { useStream, useThrottled } from "../lib/stream";
import { duration, local, MINUTE, ms } from "../lib/time";

const RELOAD_MS = 1_000;
const WHOLE_MS = 20_000;
const LATE_MS = 5 * MINUTE;

export function RunPage({ id }: { id: string }): JSX.Element {
  const knownAt = query.value.get("knownAt");
  const current = useAnswer(`run/${id}`, (signal) => api.run(id, {}, signal));
  const past = useAnswer(knownAt ? `run/${id}?${knownAt}` : null, (signal) => api.run(id, { knownAt }, signal));
  const anew = useRef(true); // whether the history is read from its beginning: a new event may change what became of older ones
  const history: Answer<Events> = useAnswer<Events>(`events/${id}`, (signal, show) => {
    const before = anew.current ? undefined : history.data;
    anew.current = false;
    return readEvents(id, before, signal, show);
  }, (all) => all.read);
  const run = current.data;
  const within = useFailedWithin(id, run);
  const below: Below = { tree: useTree(run), ofJob: useAnswer(`facets/${id}`, (signal) => api.jobFacets(id, signal)) };
  const whole = useSettled(current, past, history, within);
  useTitle(run?.job ? `${run.job.name} · ${run.state.toLowerCase()}` : "Run");
  const reload = useThrottled(() => {
    current.reload();
    history.reload();
  }, RELOAD_MS);
  const readAnew = useThrottled(() => {
    anew.current = true;
    history.reload();
  }, WHOLE_MS);
  useStream((events) => {
    if (events !== null && !events.some((event) => event.id === run?.id)) return;
    reload();
    if ((history.data?.last.from ?? 0) > 0) readAnew();
  });
  if (!run || !whole) return <NoRun id={id} answer={current} />;
  return <Known run={run} past={knownAt ? past : null} history={history} within={within} below={below} knownAt={knownAt} id={id} />;
}

function NoRun({ id, answer }: { id: string; answer: Answer<Run> }): JSX.Element {
  if (answer.error?.status === 404) {
    return (
      <Empty title="There is no such run" page>
        <p>
          Nothing was reported of <code>{id}</code>, or the API key may not see it.
        </p>
        <a class="button" href={href("/runs")}>
          All runs
        </a>
      </Empty>
    );
  }
  return answer.error ? <Problem error={answer.error} retry={answer.reload} /> : <Skeleton rows={16} />;
}

interface KnownProps {
  run: Run;
  past: Answer<Run> | null;
  history: Answer<Events>;
  within: Answer<FoundPage>;
  below: Below;
  knownAt: string | null;
  id: string;
}

function Known({ run, past, history, within, below, knownAt, id }: KnownProps): JSX.Element {
  const events = history.data?.events ?? [];
  const unknown = past?.error?.status === 404;
  const before = useRef(run);
  const shown = (before.current = past === null ? run : (past.data ?? before.current)); // while another moment is read, the one before
  const chosen = query.value.get("event");
  const selected = chosen === null ? null : Number(chosen);
  const choose = (position: number | null): void => setQuery({ event: position === null ? null : String(position) }, true);
  const step = (by: number): void => {
    const event = events[knownCount(events, knownAt) - 1 + by];
    if (event) setQuery({ knownAt: event === events.at(-1) ? null : event.recordedAt }, true);
  };
  useShortcuts("Run", [
    { keys: "[", text: "What was known one event before", action: () => step(-1) },
    { keys: "]", text: "… one event later", action: () => step(1) },
    { keys: "0", text: "Back to now", action: () => setQuery({ knownAt: null }) },
  ]);
  useEffect(() => {
    if (chosen) document.querySelector(".events")?.scrollIntoView({ block: "nearest" });
  }, []);
  return (
    <div class="stack">
      <Head run={shown} id={id} knownAt={knownAt} />
      {past !== null && (
        <p class="as-of" role="status">
          {unknown
            ? "Nothing was known of this run then."
            : past.data
              ? <>This is what was known at <Time at={knownAt} />. Marked values are different now.</>
              : <>What was known at <Time at={knownAt} /> is not read yet.</>}
        </p>
      )}
      {past?.error && !unknown && <Problem error={past.error} retry={past.reload} />}
      {!unknown && <Facts shown={shown} now={run} events={events} knownAt={past === null ? null : knownAt} />}
      {shown.state === "FAILED" && <ErrorMessage facet={shown.facets["errorMessage"]} />}
      {past === null && <FailedWithin id={id} answer={within} />}
      <section class="panel" aria-label="History">
        <header>
          <h2>History</h2>
          <span class="faint">{summary(events, history.loading)}</span>
          <span class="space" />
          {events.length > 1 && !history.loading && <KnownAt events={events} knownAt={knownAt} />}
        </header>
        {history.error && <Problem error={history.error} retry={history.reload} />}
        {events.length > 0 ? (
          <>
            <HistoryChart run={run} events={events} knownAt={knownAt === null ? null : ms(knownAt)} selected={selected} onSelect={choose} />
            <EventList events={events} selected={selected} onSelect={choose} known={knownCount(events, knownAt)} />
          </>
        ) : (
          !history.error && <Skeleton rows={9} />
        )}
        {history.data && <NotRead all={history.data} />}
      </section>
      <Others below={below} run={run} shown={shown} past={past !== null} events={past === null ? events : events.slice(0, knownCount(events, knownAt))} />
    </div>
  );
}

interface Below {
  tree: Answer<Tree>;
  ofJob: Answer<FacetsOfJob>;
}

interface OthersProps {
  below: Below;
  run: Run;
  shown: Run;
  past: boolean;
  events: readonly HistoryEvent[];
}

/** What is below the history: it is shown when the tree of runs is there, which has a place above the others. */
function Others({ below: { tree, ofJob }, run, shown, past, events }: OthersProps): JSX.Element {
  if (!useSettled(tree, ofJob)) return <Skeleton rows={5} />;
  return (
    <>
      <Gantt run={run} tree={tree.data} past={past} />
      <div class="columns">
        <Datasets run={shown} events={events} />
        <Facets title="Facets of the run" facets={shown.facets} />
        {ofJob.data && <Facets title={past ? "Facets of the job, as they are now" : "Facets of the job"} facets={ofJob.data.facets} />}
      </div>
    </>
  );
}

/** Says what of a history is not on the page. */
function NotRead({ all: { events, more } }: { all: Events }): JSX.Element | null {
  const outlines = events.filter((event) => event.payloadOmitted).length;
  if (!more && outlines === 0) return null;
  return (
    <p class="body faint">
      {more && <>These are the first {events.length.toLocaleString()} events. </>}
      {outlines > 0 && <>The payloads of the last {outlines.toLocaleString()} are large, and are read when one is opened; what they say of datasets is not below.</>}
    </p>
  );
}

function summary(events: readonly HistoryEvent[], reading: boolean): string {
  if (events.length === 0 || reading) return "";
  const late = events.filter((event) => event.verdict.late).length;
  return `${events.length.toLocaleString()} ${events.length === 1 ? "event" : "events"}${late ? `, ${late} out of order` : ", in order"}`;
}

function Head({ run, id, knownAt }: { run: Run; id: string; knownAt: string | null }): JSX.Element {
  return (
    <div class="head">
      <State state={run.state} big />
      <h1 title={run.job ? `${run.job.namespace} / ${run.job.name}` : undefined}>
        <JobLink job={run.job} />
      </h1>
      <Marks run={run} />
      <span class="space" />
      <code class="faint run-id">{run.id}</code>
      <CopyButton text={run.id} what="Run id">
        Copy id
      </CopyButton>
      <CurlButton path={target(paths.run(id).replace("/runs/", "/jobs/runs/"), { knownAt })} />
    </div>
  );
}

interface Lateness {
  tag: string; // "late", or "afterwards" where nothing was reported while the run was under way, as in a backfill
  text: string;
  before: string | null; // the time up to which something else was known
}

/** Says how long after it happened the end was recorded, or the start of a run under way; null where that is not late. */
function lateness(run: Run, events: readonly HistoryEvent[]): Lateness | null {
  const what = run.endedAt ? run.state : "RUNNING";
  const at = run.endedAt ?? run.startedAt;
  const index = events.findIndex((event) => event.state === what && event.transitionedAt === at);
  const report = events[index];
  const first = events[0];
  if (!report || !first || !at) return null;
  const lag = ms(report.recordedAt) - ms(at);
  if (lag <= LATE_MS) return null;
  if (!run.endedAt) return { tag: "late", text: `Nothing was known of it until ${duration(lag)} after its start.`, before: null };
  const after = ms(first.recordedAt) - ms(run.endedAt);
  if (after > LATE_MS) return { tag: "afterwards", text: `The first report was recorded ${duration(after)} after the end.`, before: null };
  return { tag: "late", text: `The end was recorded ${duration(lag)} after it happened.`, before: events[index - 1]?.recordedAt ?? null };
}

interface FactProps {
  name: string;
  changed: boolean;
  children: ComponentChildren;
}

function Fact({ name, changed, children }: FactProps): JSX.Element {
  return (
    <div class={`fact${changed ? " changed" : ""}`}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

interface FactsProps {
  shown: Run;
  now: Run;
  events: readonly HistoryEvent[];
  knownAt: string | null;
}

function Facts({ shown, now: run, events, knownAt }: FactsProps): JSX.Element {
  const past = knownAt !== null;
  const differs = (name: keyof Run): boolean => past && JSON.stringify(shown[name]) !== JSON.stringify(run[name]);
  const parent = parentOf(shown);
  const late = lateness(shown, events);
  const args = Object.entries(shown.args);
  return (
    <dl class="panel facts-of-run">
      <Fact name="State" changed={differs("state")}><State state={shown.state} /></Fact>
      <Fact name="Started" changed={differs("startedAt")}><Time at={shown.startedAt} /></Fact>
      <Fact name="Ended" changed={differs("endedAt")}><Time at={shown.endedAt} /></Fact>
      <Fact name="Duration" changed={differs("durationMs")}><Length run={shown} until={knownAt} /></Fact>
      {shown.nominalStartTime && <Fact name="Scheduled for" changed={differs("nominalStartTime")}><Time at={shown.nominalStartTime} /></Fact>}
      <Fact name="Last heard" changed={differs("updatedAt")}><Time at={shown.updatedAt} ago={!past} /></Fact>
      {parent && <Fact name="Parent" changed={false}><a href={href(paths.run(parent))} class="mono">{parent.slice(0, 8)}</a></Fact>}
      {shown.jobs && <Fact name="Jobs" changed={differs("jobs")}>{shown.jobs.map((job) => <div><JobLink job={job} /></div>)}</Fact>}
      {shown.ends && (
        <Fact name="Ends reported" changed={differs("ends")}>
          {shown.ends.map((end) => <div class="end"><State state={end.state} /> <Time at={end.endedAt} /></div>)}
        </Fact>
      )}
      {shown.restartedAt && <Fact name="Started again" changed={differs("restartedAt")}><Time at={shown.restartedAt} /></Fact>}
      {shown.stateReason && (
        <Fact name="Inferred" changed={differs("stateReason")}>
          silent for {duration((shown.stateReason.silentAfterSeconds ?? 0) * 1000)}{shown.stateReason.lastEventAt ? ` since ${local(ms(shown.stateReason.lastEventAt))}` : ""}
        </Fact>
      )}
      {late && <Fact name="Reported" changed={false}><span class={`tag ${late.tag}`}>{late.tag}</span> {late.text}{late.before && <> <a href={href(`${paths.run(shown.id)}?knownAt=${encodeURIComponent(late.before)}`)}>What was known until then</a></>}</Fact>}
      {args.length > 0 && (
        <Fact name="Arguments" changed={differs("args")}>{args.map(([name, value]) => <div class="mono small">{name}={value}</div>)}</Fact>
      )}
    </dl>
  );
}

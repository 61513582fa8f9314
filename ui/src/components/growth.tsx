// How many jobs, datasets and sources are known, and how many runs OpenLineage events start and end, in a day or a week.

import type { JSX } from "preact";
import type { CountInterval, EventTypeInterval } from "../lib/api_types";
import { lineage } from "../lib/lineage_api";
import { useAnswer } from "../lib/query";
import { query, setQuery } from "../lib/router";
import { useStream, useThrottled } from "../lib/stream";
import { BehindTag } from "./behind";

const KNOWN = { jobs: "Jobs", datasets: "Datasets", sources: "Sources" } as const;
const REPORTED = { start: "Starts", complete: "Completed", fail: "Failed" } as const;
const RELOAD_MS = 10_000;
const [WIDTH, HEIGHT] = [96, 22];

interface Grown {
  series: Record<string, number[]>; // by name, oldest first
  behind: string | null;
}

async function read(period: string, signal: AbortSignal): Promise<Grown> {
  const parameters = { period, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone };
  const series: Record<string, number[]> = {};
  let behind: string | null = null;
  for (const name of Object.keys(KNOWN)) {
    const found = await lineage.statistics<CountInterval>(name, parameters, signal);
    series[name] = found.answer.map((each) => each.count);
    behind ??= found.behind;
  }
  const events = await lineage.statistics<EventTypeInterval>("lineage-events", parameters, signal);
  for (const name of ["start", "complete", "fail"] as const) series[name] = events.answer.map((each) => each[name]);
  return { series, behind: behind ?? events.behind };
}

export function Growth(): JSX.Element {
  const week = query.value.get("stats") !== "day";
  const answer = useAnswer(`stats/${week}`, (signal) => read(week ? "WEEK" : "DAY", signal));
  const reload = useThrottled(answer.reload, RELOAD_MS);
  useStream(() => reload());
  const series = answer.data?.series ?? {};
  return (
    <section class="panel" aria-label="Known and reported">
      <header>
        <h2>Known and reported</h2>
        <BehindTag answer={answer} />
        <span class="space" />
        <div class="chips" role="group" aria-label="Period">
          <button type="button" aria-pressed={!week} onClick={() => setQuery({ stats: "day" }, true)}>24 h</button>
          <button type="button" aria-pressed={week} onClick={() => setQuery({ stats: null }, true)}>7 d</button>
        </div>
      </header>
      <dl class="body growth">
        {Object.entries(KNOWN).map(([kind, name]) => (
          <Figure key={kind} name={name} values={series[kind]} total={series[kind]?.at(-1)} title="known at the end of each" />
        ))}
        {Object.entries(REPORTED).map(([kind, name]) => (
          <Figure key={kind} name={name} values={series[kind]} total={series[kind]?.reduce((sum, each) => sum + each, 0)} title="events that happened in each" />
        ))}
      </dl>
    </section>
  );
}

function Figure({ name, values = [], total, title }: { name: string; values?: number[] | undefined; total: number | undefined; title: string }): JSX.Element {
  const most = Math.max(1, ...values);
  const step = WIDTH / Math.max(1, values.length);
  const bars = values.map((each, index) => `M${((index + 0.5) * step).toFixed(1)} ${HEIGHT}v${(-(each / most) * (HEIGHT - 1) - 1).toFixed(1)}`).join("");
  const unit = values.length > 7 ? "hour" : "day";
  return (
    <div title={values.length > 0 ? `${title} ${unit}: ${values.map((each) => each.toLocaleString()).join(" · ")}` : undefined}>
      <dt class="faint small">{name}</dt>
      <dd>
        <b>{total === undefined ? "–" : total.toLocaleString()}</b>
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} aria-hidden="true"><path d={bars} stroke="var(--accent)" stroke-width={Math.max(1, step - 2)} /></svg>
      </dd>
    </div>
  );
}

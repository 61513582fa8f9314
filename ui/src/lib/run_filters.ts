// The filters of the runs view: they are its query string, and become parameters of GET /runs.

import type { Query } from "./api";
import { DAY, HOUR, MINUTE, SECOND } from "./time";

/** Intervals that end now; the address keeps the word, so that a bookmark goes on to mean "the last day". */
export const LAST: Record<string, { text: string; length: number }> = {
  "15m": { text: "15 minutes", length: 15 * MINUTE },
  "1h": { text: "hour", length: HOUR },
  "12h": { text: "12 hours", length: 12 * HOUR },
  "24h": { text: "24 hours", length: DAY },
  "7d": { text: "7 days", length: 7 * DAY },
  "30d": { text: "30 days", length: 30 * DAY },
};

/** Returns the milliseconds of a length such as "90s", "15m", "1.5h" or "2d"; null where it is none. */
export function lengthOf(text: string | null): number | null {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)\s*$/.exec(text ?? "") ?? [];
  const size = { ms: 1, s: SECOND, m: MINUTE, min: MINUTE, h: HOUR, d: DAY }[unit ?? ""];
  return number === undefined || size === undefined ? null : Math.round(Number(number) * size);
}

export const TIMES = { started: "Started", ended: "Ended", updated: "Last heard" } as const;
export type TimeName = keyof typeof TIMES;

export const SORTS = { start: "startedAt", end: "endedAt", update: "updatedAt", duration: "durationMs" } as const;
export type Sort = keyof typeof SORTS;

const MARKS = ["contradicted", "restarted", "inferred"] as const;
export const MARK_TEXTS: Record<(typeof MARKS)[number], [string, string]> = {
  contradicted: ["Contradicted", "Ends in several states were reported"],
  restarted: ["Restarted", "A start was reported after the end"],
  inferred: ["Silent", "The end was not reported, but inferred from silence"],
};
export { MARKS };

export function timeName(query: URLSearchParams): TimeName {
  const name = query.get("time");
  return name === "ended" || name === "updated" ? name : "started";
}

export function sortOf(query: URLSearchParams): Sort {
  const sort = query.get("sort");
  return sort === "end" || sort === "update" || sort === "duration" ? sort : "start";
}

/** Returns the parameters of GET /runs. `at`: the time that "now" means, in ms. */
export function runQuery(query: URLSearchParams, at: number): Query {
  const result: Query = { sort: sortOf(query), order: query.get("order") === "asc" ? "asc" : "desc" };
  for (const name of ["state", "namespace", "job", "parent", "runningAt"]) result[name] = query.get(name);
  for (const mark of MARKS) if (query.get(mark) === "true") result[mark] = true;
  result["minDurationMs"] = lengthOf(query.get("longer"));
  result["maxDurationMs"] = lengthOf(query.get("shorter"));
  const name = timeName(query);
  const last = LAST[query.get("last") ?? ""];
  result[`${name}After`] = last ? new Date(at - last.length).toISOString() : query.get("from");
  result[`${name}Before`] = last ? null : query.get("to");
  return result;
}

export function hasFilters(query: URLSearchParams): boolean {
  return ["state", "namespace", "job", "parent", "longer", "shorter", "last", "from", "to", "runningAt", ...MARKS].some((name) => query.has(name));
}

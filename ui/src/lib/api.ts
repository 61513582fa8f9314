// The client of the API: keys, errors and waiting. Answers have the types that /openapi.json declares.

import { signal } from "@preact/signals";
import type {
  Count,
  EventPage,
  Facets,
  FoundPage,
  FoundRuns,
  History,
  Job,
  JobsInBrief,
  LedgerEvent,
  LedgerHead,
  Namespaces,
  Problem,
  Readiness,
  Run,
  Runs,
  RunTree,
  Verification,
} from "./api_types";
import { origin } from "./router";

const KEY = "runfold.key";
const TIMEOUT_MS = 30_000;

/** An answer that is no success, or no answer at all (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
  ) {
    super(detail || title);
  }

  /** Whether the same request may succeed later. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export interface KeyQuestion {
  reason: string;
}

/** Not null while requests wait for an API key. */
export const keyQuestion = signal<KeyQuestion | null>(null);
export const hasKey = signal(readKey() !== null);

/** What keeps the service from answering, while it does not; the date of the next attempt is that of the query. */
export const outage = signal<string | null>(null);

let waiting: (() => void)[] = [];

function readKey(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return memoryKey;
  }
}

let memoryKey: string | null = null;

export function setKey(secret: string | null): void {
  memoryKey = secret;
  try {
    if (secret === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, secret);
  } catch {
    // The key lasts as long as the page.
  }
  hasKey.value = secret !== null;
  keyQuestion.value = null;
  const resume = waiting;
  waiting = [];
  for (const each of resume) each();
}

export function keyHeader(): Record<string, string> {
  const key = readKey();
  return key === null ? {} : { Authorization: `Bearer ${key}` };
}

/** Asks for a key, and returns when one was given. */
export function askForKey(reason: string, sent: Record<string, string>): Promise<void> {
  if (sent["Authorization"] !== keyHeader()["Authorization"]) return Promise.resolve(); // another one was given meanwhile
  keyQuestion.value ??= { reason };
  return new Promise((resolve) => waiting.push(resolve));
}

export type Query = Record<string, string | number | boolean | null | undefined>;

/** Parameters that are repeated; the words of their values are separated by commas. */
const MANY = new Set(["state", "kind", "source", "facet"]);

/** Returns the path of a request below the origin, without parameters that are null or empty. */
export function target(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    if (MANY.has(name)) for (const each of String(value).split(",")) parameters.append(name, each);
    else parameters.append(name, String(value));
  }
  const text = parameters.toString();
  return `/api/v1${path}${text ? `?${text}` : ""}`;
}

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    const key = keyHeader();
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit;
    let response: Response;
    try {
      response = await fetch(origin() + path, { ...init, signal, headers: { ...init.headers, ...key }, credentials: "omit", cache: "no-store" });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new ApiError(0, "No answer", limit.aborted ? "The service did not answer in time." : "The service cannot be reached.");
    }
    if (response.ok) {
      outage.value = null;
      return response;
    }
    const error = await problemOf(response);
    if (error.status !== 401) throw error;
    await askForKey(error.detail, key);
  }
}

export async function problemOf(response: Response): Promise<ApiError> {
  try {
    const problem = (await response.json()) as Partial<Problem>;
    return new ApiError(response.status, problem.title ?? response.statusText, problem.detail ?? "");
  } catch {
    return new ApiError(response.status, response.statusText || `Status ${response.status}`, "The answer is not that of Runfold.");
  }
}

const read = new WeakMap<AbortSignal, number>();

/** The number of characters of all answers that were read with a signal: about as many bytes as they keep in memory, or a few times as many. */
export function charactersRead(signal: AbortSignal): number {
  return read.get(signal) ?? 0;
}

async function jsonOf<T>(response: Response, signal: AbortSignal | undefined): Promise<T> {
  const text = await response.text();
  if (signal) read.set(signal, charactersRead(signal) + text.length);
  return JSON.parse(text) as T;
}

export async function get<T>(path: string, query: Query, signal?: AbortSignal, headers: Record<string, string> = {}): Promise<T> {
  return jsonOf(await request(target(path, query), signal ? { signal, headers } : { headers }), signal);
}

/** An answer that may lack what was recorded last: how many events, or "some"; null where it lacks none. */
export type Behind<T> = T & { behind: string | null };

export async function answerOf<T>(path: string, query: Query, signal?: AbortSignal): Promise<Behind<{ answer: T }>> {
  const response = await request(target(path, query), signal ? { signal } : {});
  return { answer: await jsonOf<T>(response, signal), behind: response.headers.get("Runfold-Behind") };
}

export async function getBehind<T extends object>(path: string, query: Query, signal?: AbortSignal): Promise<Behind<T>> {
  const { answer, behind } = await answerOf<T>(path, query, signal);
  return { ...answer, behind };
}

/** How old an answer may be that the service shares among pages that ask the same: it has all that was recorded before. */
export const SHARED_MS = 3_000;
const SHARED = { "Cache-Control": `max-age=${SHARED_MS / 1_000}` };

export const segment = encodeURIComponent;

export const api = {
  runs: (query: Query, signal?: AbortSignal): Promise<FoundPage> => get("/runs", query, signal),
  sharedRuns: (query: Query, signal?: AbortSignal): Promise<FoundPage> => get("/runs", query, signal, SHARED),
  run: (id: string, query: Query = {}, signal?: AbortSignal): Promise<Run> => get(`/jobs/runs/${segment(id)}`, query, signal),
  history: (id: string, query: Query, signal?: AbortSignal): Promise<History> =>
    get(`/jobs/runs/${segment(id)}/events`, query, signal),
  jobFacets: (id: string, signal?: AbortSignal): Promise<Facets> => get(`/jobs/runs/${segment(id)}/facets`, { type: "job" }, signal),
  tree: (id: string, query: Query, signal?: AbortSignal): Promise<RunTree> => get(`/jobs/runs/${segment(id)}/tree`, query, signal),
  lookUp: async (ids: string[], query: Query): Promise<FoundRuns> => {
    const headers = { "Content-Type": "application/json" };
    const response = await request(target("/runs/lookup", query), { method: "POST", body: JSON.stringify({ ids }), headers });
    return (await response.json()) as FoundRuns;
  },
  jobsInBrief: (query: Query, signal?: AbortSignal): Promise<JobsInBrief> => get("/jobs/latest-runs", query, signal),
  job: (namespace: string, name: string, signal?: AbortSignal): Promise<Job> =>
    get(`/namespaces/${segment(namespace)}/jobs/${segment(name)}`, {}, signal),
  runsOfJob: (namespace: string, name: string, query: Query, signal?: AbortSignal): Promise<Runs> =>
    get(`/namespaces/${segment(namespace)}/jobs/${segment(name)}/runs`, query, signal),
  namespaces: (signal?: AbortSignal): Promise<Namespaces> => get("/namespaces", { limit: 1000 }, signal),
  events: (query: Query, signal?: AbortSignal): Promise<EventPage> => get("/events", query, signal),
  /** The event at a position, whole. */
  event: async (position: number, signal?: AbortSignal): Promise<LedgerEvent> => {
    const { events } = await get<EventPage>("/events", { position }, signal);
    const [event] = events;
    if (!event) throw new ApiError(404, "There is no such event", `The ledger has no event at position ${position}.`);
    return event;
  },
  countEvents: (query: Query, signal?: AbortSignal): Promise<Count> => get("/events/count", query, signal),
  head: (signal?: AbortSignal): Promise<LedgerHead> => get("/ledger/head", {}, signal),
  verify: (query: Query, signal?: AbortSignal): Promise<Verification> => get("/ledger/verify", query, signal),
  ready: async (signal?: AbortSignal): Promise<Readiness> => {
    const response = await request("/readyz", signal ? { signal, headers: SHARED } : { headers: SHARED });
    return (await response.json()) as Readiness;
  },
};

/** The option of curl that sends an API key, where one is needed: that of the reader's shell, never the one of this page. */
export function curlKey(): string {
  return hasKey.value ? ' -H "Authorization: Bearer $RUNFOLD_API_KEY"' : "";
}

/** Returns the command that makes the same request. */
export function curlOf(path: string): string {
  return `curl -s${curlKey()} '${(origin() + path).replaceAll("'", "'\\''")}'`;
}

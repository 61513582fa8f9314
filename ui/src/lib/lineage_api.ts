// The part of the API that is about datasets and lineage.

import { computed, effect, signal } from "@preact/signals";
import { answerOf, ApiError, type Behind, get, getBehind, hasKey, type Query, request, segment } from "./api";
import type { Access, ColumnGraph, Dataset, DatasetId, Datasets, DatasetVersions, EventPage, JobVersions, LineageGraph, SearchResults, Tags } from "./api_types";

function path({ namespace, name }: DatasetId): string {
  return `/namespaces/${segment(namespace)}/datasets/${segment(name)}`;
}

const refused = signal(false);
/** What the key may do; null where that is not told, undefined until it is. */
export const access = signal<Access | null | undefined>(undefined);

/** Whether changes are offered: as long as it is not known that the key may not record anything. */
export const mayWrite = computed(() => !refused.value && !!access.value && access.value.scope !== "read");

/** Whether the key is bound to namespaces: what is about the whole ledger is not offered to it. */
export const isBound = computed(() => !!access.value?.namespaces);

// Asked once, and again with another key.
effect(() => {
  void hasKey.value;
  access.value = undefined;
  refused.value = false;
  const stopped = new AbortController();
  get<Access>("/access", {}, stopped.signal).then(
    (found) => (access.value = found),
    () => stopped.signal.aborted || (access.value = null),
  );
  return () => stopped.abort();
});

async function change<T>(method: "POST" | "DELETE", at: string): Promise<T> {
  try {
    return (await (await request(`/api/v1${at}`, { method })).json()) as T;
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) refused.value = true;
    throw error;
  }
}

/** The ids of the nodes of graphs, as the API writes them. */
export const nodes = {
  job: (namespace: string, name: string): string => `job:${namespace}:${name}`,
  dataset: (namespace: string, name: string): string => `dataset:${namespace}:${name}`,
  field: (namespace: string, name: string, field: string): string => `datasetField:${namespace}:${name}:${field}`,
};

export const datasetPath = path;

export const lineage = {
  datasets: (namespace: string | null, query: Query, signal?: AbortSignal): Promise<Datasets> =>
    get(namespace === null ? "/datasets" : `/namespaces/${segment(namespace)}/datasets`, query, signal),
  dataset: (id: DatasetId, query: Query, signal?: AbortSignal): Promise<Dataset> => get(path(id), query, signal),
  versions: (id: DatasetId, query: Query, signal?: AbortSignal): Promise<DatasetVersions> => get(`${path(id)}/versions`, query, signal),
  history: (id: DatasetId, query: Query, signal?: AbortSignal): Promise<EventPage> => get(`${path(id)}/events`, query, signal),
  graph: (query: Query, signal?: AbortSignal): Promise<Behind<LineageGraph>> => getBehind("/lineage", query, signal),
  columns: (query: Query, signal?: AbortSignal): Promise<Behind<ColumnGraph>> => getBehind("/column-lineage", query, signal),
  search: (query: Query, signal?: AbortSignal): Promise<Behind<SearchResults>> => getBehind("/search", query, signal),
  statistics: <T>(name: string, query: Query, signal?: AbortSignal): Promise<Behind<{ answer: T[] }>> => answerOf(`/stats/${name}`, query, signal),
  tags: (query: Query, signal?: AbortSignal): Promise<Tags> => get("/tags", query, signal),
  jobVersions: (namespace: string, name: string, query: Query, signal?: AbortSignal): Promise<JobVersions> =>
    get(`/namespaces/${segment(namespace)}/jobs/${segment(name)}/versions`, query, signal),
  tag: (id: DatasetId, field: string | null, tag: string, present: boolean): Promise<unknown> =>
    change(present ? "POST" : "DELETE", `${path(id)}${field === null ? "" : `/fields/${segment(field)}`}/tags/${segment(tag)}`),
  tagJob: (namespace: string, name: string, tag: string, present: boolean): Promise<unknown> =>
    change(present ? "POST" : "DELETE", `/namespaces/${segment(namespace)}/jobs/${segment(name)}/tags/${segment(tag)}`),
};

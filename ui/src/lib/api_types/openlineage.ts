// Made by ui/api_types.py from the OpenAPI document of the service: do not edit, run `make ui-types`.

import type { Archived, BatchSummary, FailedEvent } from "./runs";

export interface BatchResult {
  status: "partial_success";
  summary: BatchSummary;
  failed_events: FailedEvent[];
}

export interface DatasetEvent {
  eventTime: string;
  producer: string;
  eventType?: "START" | "RUNNING" | "COMPLETE" | "FAIL" | "ABORT" | "OTHER" | string | null;
  inputs?: OpenLineageDataset[] | unknown;
  outputs?: OpenLineageDataset[] | unknown;
  schemaURL?: unknown;
  run?: null;
  dataset: OpenLineageDataset;
}

export interface JobEvent {
  eventTime: string;
  producer: string;
  eventType?: "START" | "RUNNING" | "COMPLETE" | "FAIL" | "ABORT" | "OTHER" | string | null;
  inputs?: OpenLineageDataset[] | unknown;
  outputs?: OpenLineageDataset[] | unknown;
  schemaURL?: unknown;
  run?: null;
  job: OpenLineageJob;
}

export interface LineageEvents {
  events: unknown[];
  totalCount: number;
  archived?: Archived[];
}

export interface OpenLineageDataset {
  namespace: string;
  name: string;
}

export type OpenLineageEvent = RunEvent | JobEvent | DatasetEvent;

export interface OpenLineageJob {
  namespace: string;
  name: string;
  facets?: Record<string, unknown> | unknown;
}

export interface OpenLineageRun {
  runId: string;
  facets?: Record<string, unknown> | unknown;
}

export interface RunEvent {
  eventTime: string;
  producer: string;
  eventType?: "START" | "RUNNING" | "COMPLETE" | "FAIL" | "ABORT" | "OTHER" | string | null;
  inputs?: OpenLineageDataset[] | unknown;
  outputs?: OpenLineageDataset[] | unknown;
  schemaURL?: unknown;
  run: OpenLineageRun;
  job: OpenLineageJob;
}

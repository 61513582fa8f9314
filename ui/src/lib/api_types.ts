// Made by ui/api_types.py from the OpenAPI document of the service: do not edit, run `make ui-types`.

export interface Alive {
  status: "alive";
}

export interface Archived {
  file: string;
  sha256: string;
  positions: number[];
}

export interface AsOf {
  log: number;
  position: number;
  recordedAt: string | null;
  archived?: Archived[];
}

export interface BatchResult {
  status: "partial_success";
  summary: BatchSummary;
  failed_events: FailedEvent[];
}

export interface BatchSummary {
  received: number;
  successful: number;
  failed: number;
  retriable: number;
  non_retriable: number;
}

export interface Count {
  count: number;
}

export interface CreateRun {
  id?: string | null;
  args?: Record<string, string | number | boolean> | null;
  nominalStartTime?: string | null;
  nominalEndTime?: string | null;
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

export interface DatasetId {
  namespace: string;
  name: string;
}

export interface EventPage {
  events: LedgerEvent[];
  next: string | null;
}

export interface Facets {
  runId: string;
  facets: Record<string, unknown>;
  facetsOmitted?: number;
}

export interface FailedEvent {
  index: number;
  reason: string;
  retriable: boolean;
  line?: number;
}

export interface FoundPage {
  runs: Run[];
  next: string | null;
}

export interface FoundRuns {
  runs: Record<string, Run | null>;
  omitted?: string[];
}

export interface History {
  runId: string;
  events: HistoryEvent[];
  next: string | null;
}

export interface HistoryEvent {
  log: number;
  position: number;
  subject: "dataset" | "job" | "key" | "ledger" | "namespace" | "run";
  id: string;
  kind: string;
  state: "ABORTED" | "COMPLETED" | "FAILED" | "NEW" | "RUNNING" | null;
  transitionedAt: string;
  recordedAt: string;
  namespace: string | null;
  job: string | null;
  parentRun: string | null;
  source: string;
  actor: string | null;
  fact: string;
  requestDigest: string | null;
  payloadDigest: string | null;
  hash: string;
  payload: unknown;
  payloadArchived?: PayloadArchived;
  verdict: Verdict;
}

export interface InvalidField {
  field: string;
  message: string;
}

export interface Job {
  id: JobId;
  type: "BATCH" | "SERVICE" | "STREAM";
  name: string;
  simpleName: string;
  parentJobName: null;
  parentJobUuid: null;
  createdAt: string;
  updatedAt: string;
  namespace: string;
  inputs: DatasetId[];
  outputs: DatasetId[];
  location: string | null;
  description: string | null;
  latestRun: Run | null;
  latestRuns: Run[] | null;
  facets: Record<string, unknown>;
  currentVersion: null;
  labels: unknown[];
  tags: unknown[];
  silentAfterSeconds?: number;
  facetsOmitted?: number;
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

export interface JobId {
  namespace: string;
  name: string;
}

export interface Jobs {
  totalCount: number;
  jobs: Job[];
}

export interface LedgerEvent {
  log: number;
  position: number;
  subject: "dataset" | "job" | "key" | "ledger" | "namespace" | "run";
  id: string;
  kind: string;
  state: "ABORTED" | "COMPLETED" | "FAILED" | "NEW" | "RUNNING" | null;
  transitionedAt: string;
  recordedAt: string;
  namespace: string | null;
  job: string | null;
  parentRun: string | null;
  source: string;
  actor: string | null;
  fact: string;
  requestDigest: string | null;
  payloadDigest: string | null;
  hash: string;
  payload: unknown;
  payloadArchived?: PayloadArchived;
}

export interface LedgerHead {
  log: number;
  position: number;
  hash: string;
  recordedAt: string | null;
}

export interface LineageEvents {
  events: unknown[];
  totalCount: number;
  archived?: Archived[];
}

export interface LookUpRuns {
  ids: string[];
}

export interface Namespace {
  name: string;
  createdAt: string;
  updatedAt: string;
  ownerName: string;
  description: string | null;
  isHidden: boolean;
  silentAfterSeconds?: number;
}

export interface Namespaces {
  namespaces: Namespace[];
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

export interface PayloadArchived {
  file: string;
  sha256: string;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: number;
  message: string;
  errors?: InvalidField[];
  run?: Run;
  summary?: BatchSummary;
  failed_events?: FailedEvent[];
}

export interface PutJob {
  type: "BATCH" | "SERVICE" | "STREAM";
  inputs: DatasetId[];
  outputs: DatasetId[];
  location?: string | null;
  description?: string | null;
  silentAfterSeconds?: number | null;
}

export interface PutNamespace {
  ownerName: string;
  description?: string | null;
  silentAfterSeconds?: number | null;
}

export interface Readiness {
  status: "ready";
  checks: Record<string, string>;
  warnings?: string[];
}

export interface ReportedEnd {
  state: "ABORTED" | "COMPLETED" | "FAILED";
  endedAt: string;
}

export interface Run {
  id: string;
  createdAt: string;
  updatedAt: string;
  nominalStartTime: string | null;
  nominalEndTime: string | null;
  state: "ABORTED" | "COMPLETED" | "FAILED" | "NEW" | "RUNNING";
  startedAt: string | null;
  endedAt: string | null;
  durationMs: number | null;
  args: Record<string, string>;
  jobVersion: null;
  inputDatasetVersions: unknown[];
  outputDatasetVersions: unknown[];
  facets: Record<string, unknown>;
  job: JobId | null;
  ends?: ReportedEnd[];
  restartedAt?: string;
  stateReason?: StateReason;
  jobs?: JobId[];
  facetsOmitted?: number;
  asOf?: AsOf;
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

export interface Runs {
  runs: Run[];
  totalCount: number;
}

export interface StateReason {
  code: "silent";
  source: "monitor";
  position: number;
  lastEventPosition?: number;
  lastEventAt?: string;
  silentAfterSeconds?: number;
}

export interface Verdict {
  effect: string;
  late: boolean;
  changed: string[];
  supersededBy: number | null;
  reason: string | null;
  attempt: number;
  incomplete: boolean;
}

export interface Verification {
  ok: boolean;
  from: number;
  to: number;
  complete: boolean;
  head: VerifiedHead;
  brokenAt?: number;
  reason?: string;
}

export interface VerifiedHead {
  log: number;
  position: number;
  hash: string;
}

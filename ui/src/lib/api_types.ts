// Made by ui/api_types.py from the OpenAPI document of the service: do not edit, run `make ui-types`.

export interface Access {
  key: string | null;
  scope: "admin" | "read" | "write";
  namespaces: string[] | null;
}

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

export interface Column {
  namespace: string;
  dataset: string;
  datasetVersion: string;
  field: string;
  fieldType: string;
  transformationDescription: string | null;
  transformationType: string | null;
  inputFields: InputColumn[];
}

export interface ColumnGraph {
  graph: ColumnNode[];
  truncated?: true;
  truncatedAt?: string[];
}

export interface ColumnNode {
  id: string;
  type: "DATASET_FIELD";
  data: Column;
  inEdges: Edge[];
  outEdges: Edge[];
}

export interface Count {
  count: number;
}

export interface CountInterval {
  startInterval: string;
  endInterval: string;
  count: number;
}

export interface CreateRun {
  id?: string | null;
  args?: Record<string, string | number | boolean> | null;
  nominalStartTime?: string | null;
  nominalEndTime?: string | null;
}

export interface Dataset {
  id: DatasetId;
  type: "DB_TABLE" | "STREAM";
  name: string;
  physicalName: string;
  createdAt: string;
  updatedAt: string;
  namespace: string;
  sourceName: string;
  fields: Field[];
  tags: string[];
  lastModifiedAt: null;
  lastLifecycleState: string | null;
  description: string | null;
  currentVersion: string;
  columnLineage: MappedField[] | null;
  facets: Record<string, unknown>;
  deleted: boolean;
  schemaLocation?: string | null;
  columnLineageTruncated?: boolean;
  facetsOmitted?: number;
  asOf?: AsOf;
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

export interface DatasetNode {
  type: "DATASET";
  id: string;
  data: GraphDataset;
  inEdges: Edge[];
  outEdges: Edge[];
}

export interface DatasetVersion {
  id: DatasetId;
  type: "DB_TABLE" | "STREAM";
  name: string;
  physicalName: string;
  createdAt: string;
  version: string;
  namespace: string;
  sourceName: string;
  fields: Field[];
  tags: string[];
  lifecycleState: string | null;
  description: string | null;
  currentSchemaVersion: string;
  createdByRun: Run | null;
  facets: Record<string, unknown>;
  schemaLocation?: string | null;
}

export interface DatasetVersions {
  versions: DatasetVersion[];
  totalCount: number;
  asOf?: AsOf;
}

export interface Datasets {
  totalCount: number;
  datasets: Dataset[];
}

export interface Edge {
  origin: string;
  destination: string;
}

export interface EventPage {
  events: LedgerEvent[];
  next: string | null;
}

export interface EventTypeInterval {
  startInterval: string;
  endInterval: string;
  start: number;
  complete: number;
  fail: number;
  abort: number;
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

export interface Field {
  name: string;
  type: string | null;
  tags: string[];
  description: string | null;
}

export interface FoundPage {
  runs: Run[];
  next: string | null;
}

export interface FoundRuns {
  runs: Record<string, Run | null>;
  omitted?: string[];
}

export interface GraphDataset {
  id: DatasetId;
  type: "DB_TABLE" | "STREAM";
  name: string;
  physicalName: string;
  createdAt: string;
  updatedAt: string;
  namespace: string;
  sourceName: string;
  fields: GraphField[];
  tags: string[];
  lastModifiedAt: string | null;
  description: string | null;
  lastLifecycleState: string | null;
}

export interface GraphField {
  name: string;
  type: string | null;
  tags: string[];
  description: string | null;
}

export interface GraphJob {
  id: JobId;
  type: "BATCH" | "SERVICE" | "STREAM";
  name: string;
  simpleName: string;
  parentJobName: string | null;
  parentJobUuid: string | null;
  currentRunUuid: string | null;
  createdAt: string;
  updatedAt: string;
  namespace: string;
  inputs: DatasetId[];
  outputs: DatasetId[];
  location: string | null;
  description: string | null;
  latestRun: Run | null;
}

export interface History {
  runId: string;
  events: HistoryEvent[];
  next: string | null;
}

export interface HistoryEvent {
  log: number;
  position: number;
  subject: "dataset" | "job" | "key" | "ledger" | "namespace" | "run" | "source" | "tag";
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

export interface InputColumn {
  namespace: string;
  dataset: string;
  datasetVersion: string;
  field: string;
  transformationDescription: string | null;
  transformationType: string | null;
  transformations?: Transformation[];
}

export interface InputField {
  namespace: string;
  dataset: string;
  field: string;
  transformationDescription: string | null;
  transformationType: string | null;
}

export interface InputOfRun {
  namespace: string;
  name: string;
  version: string;
  producedByRunId: string | null;
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
  parentJobName: string | null;
  parentJobUuid: string | null;
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
  currentVersion: string | null;
  labels: string[];
  tags: string[];
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

export interface JobNode {
  type: "JOB";
  id: string;
  data: GraphJob;
  inEdges: Edge[];
  outEdges: Edge[];
}

export interface JobOfRun {
  namespace: string;
  name: string;
  version: string | null;
}

export interface JobVersion {
  id: VersionOfJob;
  name: string;
  createdAt: string;
  version: string;
  namespace: string;
  location: string | null;
  inputs: DatasetId[];
  outputs: DatasetId[];
  latestRun: Run | null;
}

export interface JobVersions {
  versions: JobVersion[];
}

export interface Jobs {
  totalCount: number;
  jobs: Job[];
}

export interface LedgerEvent {
  log: number;
  position: number;
  subject: "dataset" | "job" | "key" | "ledger" | "namespace" | "run" | "source" | "tag";
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

export interface LineageGraph {
  graph: (JobNode | DatasetNode)[];
  truncated?: true;
  truncatedAt?: string[];
  asOf?: AsOf;
}

export interface LineageRun {
  job: JobOfRun | null;
  run: RunOfLineage;
  inputs: InputOfRun[];
}

export interface LookUpRuns {
  ids: string[];
}

export interface MappedField {
  name: string;
  inputFields: InputField[];
  transformationDescription: string | null;
  transformationType: string | null;
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

export interface PutDataset {
  type: "DB_TABLE" | "STREAM";
  physicalName: string;
  sourceName: string;
  schemaLocation?: string | null;
  fields?: PutDatasetField[] | null;
  tags?: string[] | null;
  description?: string | null;
  runId?: string | null;
}

export interface PutDatasetField {
  name: string;
  type?: string | null;
  tags?: string[] | null;
  description?: string | null;
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

export interface PutSource {
  type: string;
  connectionUrl: string;
  description?: string | null;
}

export interface PutTag {
  description?: string | null;
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
  jobVersion: VersionOfJob | null;
  inputDatasetVersions: VersionOfRun[];
  outputDatasetVersions: VersionOfRun[];
  facets: Record<string, unknown>;
  job: JobId | null;
  ends?: ReportedEnd[];
  restartedAt?: string;
  stateReason?: StateReason;
  jobs?: JobId[];
  facetsOmitted?: number;
  datasetsOmitted?: boolean;
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

export interface RunLineage {
  runs: LineageRun[];
  truncated?: true;
  truncatedAt?: string[];
}

export interface RunOfLineage {
  id: string;
  start: string | null;
  end: string | null;
  status: "ABORTED" | "COMPLETED" | "FAILED" | "NEW" | "RUNNING";
}

export interface Runs {
  runs: Run[];
  totalCount: number;
}

export interface SearchResult {
  type: "DATASET" | "JOB";
  name: string;
  updatedAt: string;
  namespace: string;
  nodeId: string;
}

export interface SearchResults {
  totalCount: number;
  results: SearchResult[];
}

export interface Source {
  type: string;
  name: string;
  createdAt: string;
  updatedAt: string;
  connectionUrl: string;
  description: string | null;
}

export interface Sources {
  sources: Source[];
}

export interface StateReason {
  code: "silent";
  source: "monitor";
  position: number;
  lastEventPosition?: number;
  lastEventAt?: string;
  silentAfterSeconds?: number;
}

export interface Tag {
  name: string;
  description: string | null;
}

export interface Tags {
  tags: Tag[];
}

export interface Transformation {
  type: string | null;
  subtype: string | null;
  description: string | null;
  masking: boolean | null;
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

export interface VersionOfDataset {
  namespace: string;
  name: string;
  version: string;
}

export interface VersionOfJob {
  namespace: string;
  name: string;
  version: string;
}

export interface VersionOfRun {
  datasetVersionId: VersionOfDataset;
  facets: Record<string, unknown>;
}
